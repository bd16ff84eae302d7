/* optimizer_table.c - the rows of optimizers. Formulas: keras/src/optimizers/ */
#include "engine/compile/optimizer_class.h"

/* clang-format off */
#define COMMON_AND(rate, decay, null_too) \
    {"learning_rate", ARG_SCHEDULE, rate, NULL, 0, 0, "a number or a schedule"}, \
    {"weight_decay", ARG_FLOAT, decay, null_too, 0, 0, "weights shrink by this much times the learning rate each step"}, \
    {"clipnorm", ARG_FLOAT, "null", NULL, 0, 0, "longest gradient of one variable"}, \
    {"global_clipnorm", ARG_FLOAT, "null", NULL, 0, 0, "longest gradient of all variables together"}, \
    {"clipvalue", ARG_FLOAT, "null", NULL, 0, 0, "largest element of a gradient"}, \
    {"use_ema", ARG_BOOL, "false", NULL, 0, 0, "keep a moving average of the weights and end the training with it"}, \
    {"ema_momentum", ARG_FLOAT, "0.99", NULL, 0, 1, "of the moving average"}, \
    {"ema_overwrite_frequency", ARG_INT, "null", NULL, 1, 1e15, \
     "every how many steps the average replaces the weights"}, \
    {"gradient_accumulation_steps", ARG_INT, "null", NULL, 2, 1e9, \
     "average gradients over this many steps before an update"}, \
    {NULL, ARG_ANY, NULL, NULL, 0, 0, NULL}
#define COMMON(rate, decay) COMMON_AND(rate, decay, NULL)
#define BETAS(second) \
    {"beta_1", ARG_FLOAT, "0.9", NULL, 0, 1, "decay of the mean of gradients"}, \
    {"beta_2", ARG_FLOAT, second, NULL, 0, 1, "decay of the mean of squared gradients"}
#define EPSILON {"epsilon", ARG_FLOAT, "1e-07", NULL, 0, 0, "keeps the division finite"}
#define MOMENTUM {"momentum", ARG_FLOAT, "0.0", NULL, 0, 1, "how much of the last step is kept"}
#define RHO(initial) {"rho", ARG_FLOAT, initial, NULL, 0, 1, "decay of the mean of squared gradients"}
#define ACCUMULATOR {"initial_accumulator_value", ARG_FLOAT, "0.1", NULL, 0, 1e30, \
     "where the sum of squared gradients starts"}

static const struct argument sgd_arguments[] = {
    MOMENTUM, {"nesterov", ARG_BOOL, "false", NULL, 0, 0, "Nesterov's momentum"}, COMMON("0.01", "null")};
static const struct argument adam_arguments[] = {
    BETAS("0.999"), EPSILON,
    {"amsgrad", ARG_BOOL, "false", NULL, 0, 0, "use the largest mean square so far"}, COMMON("0.001", "null")};
static const struct argument adamw_arguments[] = {
    BETAS("0.999"), EPSILON,
    {"amsgrad", ARG_BOOL, "false", NULL, 0, 0, "use the largest mean square so far"}, COMMON("0.001", "0.004")};
static const struct argument rmsprop_arguments[] = {
    RHO("0.9"), MOMENTUM, EPSILON,
    {"centered", ARG_BOOL, "false", NULL, 0, 0, "divide by the variance, not the mean square"},
    COMMON("0.001", "null")};
static const struct argument adagrad_arguments[] = {ACCUMULATOR, EPSILON, COMMON("0.001", "null")};
static const struct argument adadelta_arguments[] = {RHO("0.95"), EPSILON, COMMON("0.001", "null")};
static const struct argument adamax_arguments[] = {BETAS("0.999"), EPSILON, COMMON("0.001", "null")};
static const struct argument nadam_arguments[] = {BETAS("0.999"), EPSILON, COMMON("0.001", "null")};
static const struct argument lion_arguments[] = {BETAS("0.99"), COMMON("0.001", "null")};
static const struct argument ftrl_arguments[] = {
    {"learning_rate_power", ARG_FLOAT, "-0.5", NULL, -1e30, 0, "how the learning rate falls; 0 = not"}, ACCUMULATOR,
    {"l1_regularization_strength", ARG_FLOAT, "0.0", NULL, 0, 1e30, "L1 strength"},
    {"l2_regularization_strength", ARG_FLOAT, "0.0", NULL, 0, 1e30, "L2 strength"},
    {"l2_shrinkage_regularization_strength", ARG_FLOAT, "0.0", NULL, 0, 1e30, "L2 strength added to the gradient"},
    {"beta", ARG_FLOAT, "0.0", NULL, 0, 0, "beta of the paper"}, COMMON("0.001", "null")};
static const struct argument lamb_arguments[] = {BETAS("0.999"), EPSILON, COMMON("0.001", "null")};
static const struct argument adafactor_arguments[] = {
    {"beta_2_decay", ARG_FLOAT, "-0.8", NULL, 0, 0, "power of the step by which the decay of mean squares nears 1"},
    {"epsilon_1", ARG_FLOAT, "1e-30", NULL, 0, 0, "added to squared gradients"},
    {"epsilon_2", ARG_FLOAT, "0.001", NULL, 0, 0, "smallest root mean square of a weight that scales its step"},
    {"clip_threshold", ARG_FLOAT, "1.0", NULL, 0, 0, "largest root mean square of an update"},
    {"relative_step", ARG_BOOL, "true", NULL, 0, 0,
     "changes nothing: Keras holds the rate below 1 / sqrt(step) either way"},
    COMMON("0.001", "null")};
static const struct argument muon_arguments[] = {
    {"adam_beta_1", ARG_FLOAT, "0.9", NULL, 0, 1, "of Adam: decay of the mean of gradients"},
    {"adam_beta_2", ARG_FLOAT, "0.999", NULL, 0, 1, "of Adam: decay of the mean of squared gradients"},
    {"adam_weight_decay", ARG_FLOAT, "0.004", "null", 0, 0, "weight decay of what Adam trains"}, EPSILON,
    {"exclude_layers", ARG_ANY, "null", NULL, 0, 0, "regular expressions: variables whose path has one go to Adam"},
    {"exclude_embeddings", ARG_BOOL, "true", NULL, 0, 0, "embeddings go to Adam"},
    {"muon_a", ARG_FLOAT, "3.4445", NULL, 0, 0, "of the Newton-Schulz polynomial: x"},
    {"muon_b", ARG_FLOAT, "-4.775", NULL, 0, 0, "of the Newton-Schulz polynomial: x cubed"},
    {"muon_c", ARG_FLOAT, "2.0315", NULL, 0, 0, "of the Newton-Schulz polynomial: x to the fifth"},
    {"adam_lr_ratio", ARG_FLOAT, "1", NULL, 0, 0, "learning rate of Adam over that of Muon"},
    {"momentum", ARG_FLOAT, "0.95", NULL, 0, 1, "of Muon: how much of the last step is kept"},
    {"ns_steps", ARG_INT, "5", NULL, 0, 100, "Newton-Schulz iterations"},
    {"nesterov", ARG_BOOL, "true", NULL, 0, 0, "Nesterov's momentum"},
    {"rms_rate", ARG_FLOAT, "0.2", "null", 0, 0, "size of a step over Adam's; null = not scaled by the matrix's size"},
    COMMON_AND("0.001", "0.004", "null")};

#define ADAM_UPDATE { \
    {NULL, "c1 = 1 - beta_1; c2 = 1 - beta_2; m = m + (g - m) * c1; v = v + (square(g) - v) * c2"}, \
    {"amsgrad", "h = maximum(h, v); w = w - m * alpha / (sqrt(h) + epsilon)"}, \
    {"!amsgrad", "w = w - m * alpha / (sqrt(v) + epsilon)"}}
#define ADAM_SLOTS { \
    {"m", "momentum", NULL, NULL, 0}, {"v", "velocity", NULL, NULL, 0}, {"h", "velocity_hat", "amsgrad", NULL, 1}}
#define ADAM_SCALARS "alpha = lr * sqrt(1 - pow(beta_2, t)) / (1 - pow(beta_1, t))"
/* clang-format on */

static const struct optimizer_class optimizers[] = {
    {.row = {{"SGD", "gradient descent, with momentum or Nesterov's", sgd_arguments}, NULL},
     .slots = {{"m", "momentum", "momentum", NULL, 0}},
     .update = {{"momentum", "m = m * momentum - g * lr"},
                {"momentum nesterov", "w = w + (m * momentum - g * lr)"},
                {"momentum !nesterov", "w = w + m"},
                {"!momentum", "w = w - g * lr"}}},
    {.row = {{"Adam", "adaptive moments", adam_arguments}, NULL},
     .slots = ADAM_SLOTS,
     .scalars = ADAM_SCALARS,
     .scalar_names = {"alpha"},
     .update = ADAM_UPDATE},
    {.row = {{"AdamW", "Adam with decoupled weight decay", adamw_arguments}, NULL},
     .slots = ADAM_SLOTS,
     .scalars = ADAM_SCALARS,
     .scalar_names = {"alpha"},
     .update = ADAM_UPDATE},
    {.row = {{"RMSprop", "gradients divided by their running root mean square", rmsprop_arguments}, NULL},
     .slots = {{"v", "velocity", NULL, NULL, 0},
               {"m", "momentum", "momentum", NULL, 1},
               {"a", "average_gradient", "centered", NULL, 2}},
     .update = {{NULL, "c = 1 - rho; v = rho * v + c * square(g)"},
                {"centered", "a = rho * a + c * g; step = lr * g / sqrt(v - square(a) + epsilon)"},
                {"!centered", "step = lr * g / sqrt(v + epsilon)"},
                {"momentum", "m = momentum * m + step; w = w - m"},
                {"!momentum", "w = w - step"}}},
    {.row = {{"Adagrad", "learning rates that fall with the sum of squared gradients", adagrad_arguments}, NULL},
     .slots = {{"s", "accumulator", NULL, "initial_accumulator_value", 0}},
     .update = {{NULL, "s = s + square(g); w = w - lr * g / sqrt(s + epsilon)"}}},
    {.row = {{"Adadelta", "Adagrad over a window, with steps in units of the weights", adadelta_arguments}, NULL},
     .slots = {{"s", "accumulated_grad", NULL, NULL, 0}, {"d", "accumulated_delta_var", NULL, NULL, 0}},
     .update = {{NULL, "c = 1 - rho; s = rho * s + c * square(g); step = -(sqrt(d + epsilon) * g / sqrt(s + epsilon));"
                       "d = rho * d + c * square(step); w = w + lr * step"}}},
    {.row = {{"Adamax", "Adam with the largest gradient instead of the mean square", adamax_arguments}, NULL},
     .slots = {{"m", "momentum", NULL, NULL, 0}, {"u", "norm", NULL, NULL, 0}},
     .scalars = "one = 1 - pow(beta_1, t)",
     .scalar_names = {"one"},
     .update = {{NULL, "c1 = 1 - beta_1; m = m + (g - m) * c1; u = maximum(beta_2 * u, abs(g));"
                       "w = w - lr * m / (one * (u + epsilon))"}}},
    {.row = {{"Nadam", "Adam with Nesterov's momentum", nadam_arguments}, NULL},
     .slots = {{"m", "momentum", NULL, NULL, 0}, {"v", "velocity", NULL, NULL, 0}},
     .scalar_slot = "product",
     .scalars = "now = beta_1 * (1 - 0.5 * pow(0.96, t)); next = beta_1 * (1 - 0.5 * pow(0.96, t + 1));"
                "product = product * beta_1 * (1 - 0.5 * pow(0.96, t));"
                "k1 = next / (1 - product * next); k2 = (1 - now) / (1 - product); two = 1 - pow(beta_2, t)",
     .scalar_names = {"k1", "k2", "two"},
     .update = {{NULL, "m = m + (g - m) * (1 - beta_1); v = v + (square(g) - v) * (1 - beta_2);"
                       "w = w - (k1 * m + k2 * g) * lr / (sqrt(v / two) + epsilon)"}}},
    {.row = {{"Lion", "steps of the learning rate in the sign of the momentum", lion_arguments}, NULL},
     .slots = {{"m", "momentum", NULL, NULL, 0}},
     .update = {{NULL, "w = w - lr * sign(m * beta_1 + g * (1 - beta_1)); m = m * beta_2 + g * (1 - beta_2)"}}},
    {.row = {{"Ftrl", "follow the regularized leader: sparse linear models", ftrl_arguments}, NULL},
     .slots = {{"s", "accumulator", NULL, "initial_accumulator_value", 0}, {"z", "linear", NULL, NULL, 0}},
     .scalars = "l2 = l2_regularization_strength + beta / (2 * lr)",
     .scalar_names = {"l2"},
     .update =
         {{NULL,
           "shrink = 2 * l2_shrinkage_regularization_strength; down = -learning_rate_power; after = s + square(g);"
           "z = z + (g + shrink * w - (pow(after, down) - pow(s, down)) / lr * w);"
           "square_term = pow(after, down) / lr + 2 * l2;"
           "low = -l1_regularization_strength;"
           "w = (maximum(minimum(z, l1_regularization_strength), low) - z) / square_term; s = after"}}},
    {.row = {{"Lamb", "Adam whose steps are as long as the weights of the layer allow", lamb_arguments}, NULL},
     .slots = {{"m", "momentum", NULL, NULL, 0}, {"v", "velocity", NULL, NULL, 0}},
     .scalars = "one = 1 - pow(beta_1, t); two = 1 - pow(beta_2, t)",
     .scalar_names = {"one", "two"},
     .lower = lower_lamb},
    {.row = {{"Adafactor", "mean squares kept by rows and columns only", adafactor_arguments}, NULL},
     .slots = {{"r", "row", NULL, NULL, 0}, {"c", "column", NULL, NULL, 0}, {"v", "velocity", NULL, NULL, 0}},
     .scalars = "rho = minimum(lr, 1 / sqrt(t)); beta = 1 - pow(t, beta_2_decay)",
     .scalar_names = {"rho", "beta"},
     .lower = lower_adafactor,
     .slot_shape = slot_shape_adafactor},
    {.row = {{"Muon", "matrices step along their orthogonalized momentum, all else is trained by AdamW",
              muon_arguments},
             NULL},
     .slots = {{"m", "momentum", NULL, NULL, 0}, {"v", "velocity", NULL, NULL, 0}},
     .scalars = "alpha = lr * adam_lr_ratio * sqrt(1 - pow(adam_beta_2, t)) / (1 - pow(adam_beta_1, t))",
     .scalar_names = {"alpha"},
     .lower = lower_muon,
     .slot_shape = slot_shape_muon,
     .check = check_muon},
};
const struct named_table optimizer_table = {.kind = "optimizer",
                                            .rows = optimizers,
                                            .n = sizeof optimizers / sizeof *optimizers,
                                            .row_size = sizeof *optimizers,
                                            .any_case = true,
                                            .elsewhere = "LossScaleOptimizer|MultiOptimizer|ScheduleFreeAdamW"};
