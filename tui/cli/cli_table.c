/* cli_table.c - the table of commands: what they are called, what they take, what they do, and the function that does
 * it. --help, the man page and the shell completions are printed from it.
 */
#include "persistence/config/run_config.h"
#include "tui/cli/cli_commands.h"

#define JSON_OPTION                                                                                                    \
    {                                                                                                                  \
        "--json", NULL, false, "print one JSON document"                                                               \
    }

const struct cli_option cli_program_options[] = {
    {"--once", NULL, false,
     "print one frame of the screen as text: of the list, or of the RUN that follows; elsewhere than on a terminal in "
     "$COLUMNS x $LINES, else 80 x 24"},
    {"--plain", NULL, false,
     "the same facts as lines, for screen readers and pipes: the list and how far running ones are, or the RUN that "
     "follows with a line an epoch until it ends"},
    {"--ascii", NULL, false, "use only ASCII characters"},
    {"--color", "auto|always|never|16|256", false, "which colours; NO_COLOR in the environment means never"},
    {0},
};

static const struct cli_option json_only[] = {JSON_OPTION, {0}};

static const struct cli_command list = {
    .name = "list",
    .arguments = "[FILTER]...",
    .max_arguments = -1,
    .summary = "list the runs, newest first",
    .text = "Words search name, id, tags and note. Conditions: state:running, tag:x, best.val_loss<0.2, last.loss>=1, "
            "epoch>5, duration>10m, created>=2026-11-23, config.compile.optimizer.learning_rate=0.001 (any parameter "
            "of the config). Several mean AND; OR, NOT, -condition, parentheses and quotes work as expected. --sort "
            "takes the same names; a dash in front reverses: --sort=-best.accuracy.",
    .options = (const struct cli_option[]){{"--sort", "KEY", false,
                                            "order by a field, a metric (best.val_loss) or a parameter (config.seed)"},
                                           JSON_OPTION,
                                           {0}},
    .dashes = true,
    .run = cli_list,
};
static const struct cli_command show = {
    .name = "show",
    .arguments = "RUN",
    .min_arguments = 1,
    .max_arguments = 1,
    .summary = "everything about one run: state, metrics, config, events, error",
    .options = json_only,
    .run = cli_show,
};
static const struct cli_command history = {
    .name = "history",
    .arguments = "RUN",
    .min_arguments = 1,
    .max_arguments = 1,
    .summary = "the metrics of a run, epoch by epoch",
    .text = "The part of its parents up to the checkpoint it was resumed from is included.",
    .options =
        (const struct cli_option[]){{"--metric", "M", true, "only this metric; may be given several times"},
                                    {"--system", NULL, false,
                                     "instead: CPU, memory and samples a second of the worker and the machine while it "
                                     "trained"},
                                    {"--csv", NULL, false, "print comma-separated values"},
                                    JSON_OPTION,
                                    {0}},
    .run = cli_history,
};
static const struct cli_command plot = {
    .name = "plot",
    .arguments = "RUN...",
    .min_arguments = 1,
    .max_arguments = -1,
    .summary = "draw curves as text, SVG or PNG; several runs lie over each other",
    .text = "Without --metric: loss and val_loss. Each kind of metric gets a chart of its own. Every sample is drawn, "
            "however many there are; a missing value is a gap, NaN and infinities are marked along the top. "
            "Checkpoints of a single run lie on the rail below.",
    .options =
        (const struct cli_option[]){
            {"--metric", "M", true,
             "this metric; may be given several times; system/cpu, ... (antler history --system)"},
            {"--width", "W", false, "columns (else the terminal's, or 80); pixels of a picture (900)"},
            {"--height", "H", false, "lines of a chart (20); pixels of a picture (440)"},
            {"--ascii", NULL, false, "use only ASCII characters"},
            {"--x", "AXIS", false,
             "epoch, step, time (since the start), clock, fork (steps since it), samples (steps times the batch size); "
             "else epoch, or step where an epoch has several values"},
            {"--x-range", "LO:HI", false,
             "only this part of the axis, in its unit (seconds where it is a time); one side may be left out"},
            {"--log-x", NULL, false, "logarithmic x axis"},
            {"--log-y", NULL, false, "logarithmic y axis"},
            {"--clip", NULL, false, "outliers do not widen the y axis; an arrow marks them"},
            {"--smooth", "A", false, "debiased moving average, 0 to 0.9999; the raw curve stays behind"},
            {"--bright", "RUN", true, "this run stands out, the others are a dim cloud; may be given several times"},
            {"--svg", "FILE", false, "write an SVG file instead"},
            {"--png", "FILE", false, "write a PNG file instead"},
            {"--csv", "FILE", false, "write the values that would be drawn; - for standard output"},
            {"--dark", NULL, false, "a picture on dark ground"},
            {0}},
    .run = cli_plot,
};
static const struct cli_command checkpoints = {
    .name = "checkpoints",
    .arguments = "RUN",
    .min_arguments = 1,
    .max_arguments = 1,
    .summary = "the checkpoints of a run that are there, oldest first",
    .text =
        "Other commands take them as RUN:EPOCH, RUN:best, RUN:last, or by their path. What was computed of one is kept "
        "beside it, goes with it, and is named here.",
    .options = json_only,
    .run = cli_checkpoints,
};
static const struct cli_command pictures = {
    .name = "pictures",
    .arguments = "RUN",
    .min_arguments = 1,
    .max_arguments = 1,
    .summary = "the pictures that came with an imported history: a list, or one of them drawn",
    .text =
        "They are files in pictures/ of the run's folder. With --tag the last one of it is drawn in half blocks, in as "
        "many colours as the terminal has; small ones are not enlarged. They are decoded in a sandbox.",
    .options =
        (const struct cli_option[]){{"--tag", "TAG", false, "draw the picture of this tag"},
                                    {"--step", "N", false, "of this step (else the last one)"},
                                    {"--width", "W", false, "at most so many columns (else the terminal's, or 80)"},
                                    {"--ascii", NULL, false, "use only ASCII characters"},
                                    JSON_OPTION,
                                    {0}},
    .run = cli_pictures,
};
static const struct cli_command compare = {
    .name = "compare",
    .arguments = "RUN RUN...",
    .min_arguments = 2,
    .max_arguments = -1,
    .summary = "what differs between runs: config and results",
    .text =
        "Only the parameters that differ are shown. The best value of each metric is marked; the others show their "
        "distance to it. Of more than six runs each has a line, the best first. From eight runs on it is said which "
        "settings the result hangs on: how much of the variance of the results' ranks lies between the values of a "
        "setting (settings that changed together are not told apart).",
    .options =
        (const struct cli_option[]){
            {"--all", NULL, false, "show the parameters that are equal too"},
            {"--metric", "M", false, "judge by this metric; else by the first run's monitor"},
            {"--csv", "FILE", false, "write a line a run with all results and settings; - for standard output"},
            JSON_OPTION,
            {0}},
    .run = cli_compare,
};
static const struct cli_command import = {
    .name = "import",
    .arguments = "FILE|DIR...",
    .min_arguments = 1,
    .max_arguments = -1,
    .summary = "make runs of foreign histories and models",
    .text =
        "Understands files of keras.callbacks.CSVLogger and Keras histories as JSON (also compressed with gzip), "
        "folders of TensorBoard event files (train/ and validation/ are one run), .wandb files of Weights & Biases, "
        "run folders of other homes, and models saved as .keras or legacy .h5. Of a folder every history in it and "
        "below it becomes a run: all of them, or none when one is damaged. Curves are drawn and compared like any "
        "other; settings become config.settings, what was printed the log; there is nothing to resume. Epochs are "
        "counted from 1; where a restarted run repeats steps the later record counts. A model becomes a run with one "
        "checkpoint, a copy of the file: antler evaluate RUN:last --data format=csv --data path=FILE, antler predict "
        "RUN:last --input FILE, antler resume RUN:last --set data.format=csv --set data.path=FILE --epochs N. To look "
        "at histories that are still growing, without copying them: antler watch.",
    .options = (const struct cli_option[]){{"--name", "N", false, "name of the run; of several: N-1, N-2, ..."},
                                           JSON_OPTION,
                                           {0}},
    .run = cli_import,
};
static const struct cli_command watch = {
    .name = "watch",
    .arguments = "FILE|DIR...",
    .min_arguments = 1,
    .max_arguments = -1,
    .summary = "look at histories of other tools while they grow",
    .text = "Opens the screen with what antler import understands, beside the runs of the home, and follows it: new "
            "records, new files in folders, runs that end. Nothing is copied into the home and nothing is written "
            "beside the files. They can only be looked at: keys that change a run are refused, curves, comparison, "
            "marks, settings and log work as ever. Keras models (.keras, .weights.h5, .h5) that lie beside a history, "
            "or in checkpoints/ there, are its checkpoints: evaluate, predict, inspect, and resume as a new run of "
            "the home. Without a terminal it prints the list.",
    .options =
        (const struct cli_option[]){
            {"--once", NULL, false, "print one frame of the screen as text"},
            {"--plain", NULL, false, "print the list, then a line for every record that comes until all have ended"},
            {"--ascii", NULL, false, "use only ASCII characters"},
            {"--color", "auto|always|never|16|256", false, "which colours"},
            {0}},
    .run = cli_watch,
};
static const struct cli_command tag = {
    .name = "tag",
    .arguments = "RUN [TAG|-TAG]...",
    .min_arguments = 1,
    .max_arguments = -1,
    .summary = "put tags on a run, take them off, or print them",
    .dashes = true,
    .run = cli_tag,
};
static const struct cli_command note = {
    .name = "note",
    .arguments = "RUN [TEXT]...",
    .min_arguments = 1,
    .max_arguments = -1,
    .summary = "write the note of a run, or print it; an empty text removes it",
    .run = cli_note,
};
static const struct cli_command delete = {
    .name = "delete",
    .arguments = "RUN...",
    .min_arguments = 1,
    .max_arguments = -1,
    .summary = "move runs to the trash of the home; a running one is refused",
    .run = cli_delete,
};
static const struct cli_command restore = {
    .name = "restore",
    .arguments = "[RUN]...",
    .max_arguments = -1,
    .summary = "take runs back from the trash; without RUN: list what is there",
    .run = cli_restore,
};
static const struct cli_command settings = {
    .name = "settings",
    .arguments = "[NAME=VALUE]...",
    .max_arguments = -1,
    .summary = "what is set for this home and for yourself; NAME=VALUE sets it, NAME= takes it back",
    .text =
        "Settings live in settings.json of the home and, with --own, in $XDG_CONFIG_HOME/antler/settings.json (else "
        "~/.config/antler/settings.json); the home's win. VALUE is JSON, or text when it does not parse. A command "
        "(notify.command) is taken from your own file only: a home may come from somebody else.",
    .options =
        (const struct cli_option[]){{"--own", NULL, false, "set it for yourself, in every home"}, JSON_OPTION, {0}},
    .run = cli_settings,
};
static const struct cli_command reindex = {
    .name = "reindex",
    .arguments = "",
    .summary = "rebuild the index from the run folders",
    .run = cli_reindex,
};
static const struct cli_command help = {
    .name = "help",
    .arguments = "[COMMAND|man|bash|zsh|fish]",
    .max_arguments = 1,
    .summary = "explain a command; print the man page or a shell's completion",
    .run = cli_help,
};

#define SET_OPTION                                                                                                     \
    {                                                                                                                  \
        "--set", "KEY=VALUE", true,                                                                                    \
            "change the config: compile.optimizer.learning_rate=0.01; the value is JSON, or text when it does not "    \
            "parse"                                                                                                    \
    }
#define DEVICE_OPTION                                                                                                  \
    {                                                                                                                  \
        "--device", "D", false, "auto, cpu, cuda or cuda:K (where the build has CUDA: antler doctor)"                  \
    }
#define PROFILE_OPTIONS                                                                                                \
    {"--profile", NULL, false,                                                                                         \
     "time every kernel and print at the end where the time and the memory went; kept as profile.json in the run's "   \
     "folder"},                                                                                                        \
    {                                                                                                                  \
        "--trace", "FILE", false, "write what ran when, for chrome://tracing or Perfetto"                              \
    }
#define QUEUE_OPTION                                                                                                   \
    {                                                                                                                  \
        "--queue", NULL, false,                                                                                        \
            "check it now and let it wait until a place is free on its device (antler queue); print the run's id"      \
    }
#define THREADS_OPTION                                                                                                 \
    {                                                                                                                  \
        "--threads", "N", false,                                                                                       \
            "threads; else $ANTLER_THREADS, else the cores this process may use. Results do not depend on it"          \
    }

static const struct cli_command train = {
    .name = "train",
    .arguments = "CONFIG",
    .min_arguments = 1,
    .max_arguments = 1,
    .summary = "train a model as a config says; the run goes on whatever happens to the terminal",
    .text = "In the foreground it shows how far it is; Ctrl-C stops after the step with a checkpoint, a second Ctrl-C "
            "ends at once. antler check CONFIG --help lists the keys of a config.",
    .options = (const struct cli_option[]){SET_OPTION,
                                           {"--name", "N", false, "name of the run; else the config's"},
                                           {"--tag", "T", true, "put a tag on the run"},
                                           DEVICE_OPTION,
                                           THREADS_OPTION,
                                           PROFILE_OPTIONS,
                                           {"--detach", NULL, false,
                                            "print the run's id and return once it has started for sure"},
                                           QUEUE_OPTION,
                                           JSON_OPTION,
                                           {0}},
    .run = cli_train,
};
static const struct cli_command resume = {
    .name = "resume",
    .arguments = "RUN|CHECKPOINT",
    .min_arguments = 1,
    .max_arguments = 1,
    .summary = "go on with a run, or branch a new one off any checkpoint",
    .text = "resume RUN goes on in place from the last whole checkpoint to its planned epochs, byte for byte as if it "
            "had not been interrupted. resume CHECKPOINT (a path, RUN:EPOCH, RUN:best, RUN:last), or RUN with --set "
            "or --name, starts a new run whose parent is that checkpoint and says what is kept and what starts anew. "
            "A Keras file that belongs to no run needs its data: --set data.format=...",
    .options =
        (const struct cli_option[]){
            {"--epochs", "N", false, "train until this epoch, counted from the very first"},
            SET_OPTION,
            {"--name", "N", false, "name of the new run"},
            {"--tag", "T", true, "put a tag on the new run"},
            DEVICE_OPTION,
            THREADS_OPTION,
            PROFILE_OPTIONS,
            {"--detach", NULL, false, "print the run's id and return once it has started for sure"},
            QUEUE_OPTION,
            JSON_OPTION,
            {0}},
    .run = cli_resume,
};
static const struct cli_command queue = {
    .name = "queue",
    .arguments = "[add CONFIG...|move RUN PLACE|start RUN|edit RUN|remove RUN...|hold|release]",
    .max_arguments = -1,
    .summary = "what trains, what waits for a place, in which order and about when it starts; and changes to that",
    .text =
        "A run that was queued (train --queue, resume --queue, queue add) starts when fewer than queue.slots runs "
        "train on its device. No daemon is needed: the worker that ends starts the next one, and so does any antler "
        "command or screen that reads the home. Where the last worker was killed, or told to end by a signal, the "
        "queue goes on with whoever looks next. PLACE is a number from 1, up, down, first or last. start does not "
        "wait for a place; edit changes the config of a run that waits with --set; hold lets nothing start until "
        "release.",
    .options =
        (const struct cli_option[]){
            {"--slots", "N", false, "from now on so many at a time on one device (antler settings queue.slots=N)"},
            {"--set", "KEY=VALUE", true, "add, edit: change the config; see antler train --help"},
            {"--name", "N", false, "add: name of the run; of several: N-1, N-2, ..."},
            {"--tag", "T", true, "add: put a tag on the runs"},
            DEVICE_OPTION,
            THREADS_OPTION,
            JSON_OPTION,
            {0}},
    .run = cli_queue,
};
#define CONTROL(command, what)                                                                                         \
    {                                                                                                                  \
        .name = command, .arguments = "RUN", .min_arguments = 1, .max_arguments = 1, .summary = what,                  \
        .options = json_only, .run = cli_control,                                                                      \
    }
static const struct cli_command stop = CONTROL("stop", "stop a run after its step, with a checkpoint");
static const struct cli_command pause_command = CONTROL("pause", "let a run wait until it is told to continue");
static const struct cli_command continue_command = CONTROL("continue", "let a paused run go on");
static const struct cli_command checkpoint = CONTROL("checkpoint", "write a checkpoint now");
static const struct cli_command evaluate = {
    .name = "evaluate",
    .arguments = "CHECKPOINT",
    .min_arguments = 1,
    .max_arguments = 1,
    .summary = "the metrics of a checkpoint on a part of the data",
    .text = "A run's checkpoint is evaluated on the run's own data unless --config or --data say otherwise.",
    .options =
        (const struct cli_option[]){
            {"--config", "CONFIG", false, "take the data (and compile settings) of this config"},
            {"--data", "KEY=VALUE", true, "change the data: path=other.csv"},
            {"--split", "S", false, "train, validation or test; the first of test, validation, train that has samples"},
            {"--details", NULL, false,
             "also every class (worst first), what is confused most, how sure it is, the hardest samples"},
            {"--batch-size", "N", false, "samples in a step"},
            DEVICE_OPTION,
            THREADS_OPTION,
            JSON_OPTION,
            {0}},
    .run = cli_evaluate,
};
static const struct cli_command predict = {
    .name = "predict",
    .arguments = "CHECKPOINT",
    .min_arguments = 1,
    .max_arguments = 1,
    .summary = "the outputs of a checkpoint for a file or a part of the data; the text it writes",
    .text = "With --prompt a model trained on data of format text writes on: characters come as they are drawn. The "
            "model sees the prompt and nothing in front of it; once its window is full, the last characters of the "
            "text. The same seed writes the same text. What is computed of a run's own data is kept beside the "
            "checkpoint, and comes back without computing as long as the checkpoint and the files of the data are the "
            "same.",
    .options =
        (const struct cli_option[]){
            {"--input", "INPUT", false,
             "a .npy, .npz, .csv, .png, .jpg or .txt file, or test[0:16], validation, train[5]"},
            {"--output", "FILE", false, "write them to a .npy, .npz, .csv or .json file"},
            {"--prompt", "TEXT", false, "write on behind this text"},
            {"--tokens", "N", false, "so many characters (200)"},
            {"--temperature", "T", false, "0: always the most probable; 1: as probable as the model says (0.8)"},
            {"--seed", "S", false, "which of the possible texts (0)"},
            {"--again", NULL, false, "compute it even where it is kept"},
            {"--config", "CONFIG", false, "take the data of this config"},
            {"--data", "KEY=VALUE", true, "change the data"},
            {"--batch-size", "N", false, "samples in a step"},
            DEVICE_OPTION,
            THREADS_OPTION,
            JSON_OPTION,
            {0}},
    .run = cli_predict,
};
static const struct cli_command inspect = {
    .name = "inspect",
    .arguments = "FILE",
    .min_arguments = 1,
    .max_arguments = 1,
    .summary = "what is in a model file; safe on files of strangers",
    .text = "Reads .keras files, weights (.weights.h5), legacy .h5 and architecture JSON, in a sandbox, and runs "
            "nothing of what they hold.",
    .options = json_only,
    .run = cli_inspect,
};
static void config_keys_text(struct str *out)
{
    config_write_docs(out, false);
}

static const struct cli_command check = {
    .name = "check",
    .arguments = "CONFIG",
    .min_arguments = 1,
    .max_arguments = 1,
    .summary = "explain a config without training: layers, shapes, parameters, memory, data",
    .options = (const struct cli_option[]){SET_OPTION,
                                           DEVICE_OPTION,
                                           THREADS_OPTION,
                                           {"--architecture", "FILE", false, "write the model as Keras' to_json does"},
                                           JSON_OPTION,
                                           {0}},
    .run = cli_check,
    .more = config_keys_text,
};
static const struct cli_command doctor = {
    .name = "doctor",
    .arguments = "",
    .summary = "what this machine offers: sandbox, kernels, devices, locale, terminal, home",
    .options = json_only,
    .run = cli_doctor,
};

const struct cli_command *const cli_commands[] = {
    &train,   &resume, &queue,  &stop, &pause_command, &continue_command, &checkpoint, &evaluate,    &predict,
    &inspect, &check,  &doctor, &list, &show,          &history,          &plot,       &checkpoints, &pictures,
    &compare, &import, &watch,  &tag,  &note,          &delete,           &restore,    &settings,    &reindex,
    &help,    NULL,
};
