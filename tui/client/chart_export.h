/* chart_export.h - charts as files: SVG, PNG, CSV; and the command line that gives the same. `antler plot` and the
 * screen write through here, so their files are equal byte for byte.
 *
 *     chart_save(&(struct chart_file){EXPORT_SVG, "loss.svg"}, &chart, 1, &err);
 */
#ifndef TUI_CLIENT_CHART_EXPORT_H
#define TUI_CLIENT_CHART_EXPORT_H

#include "tui/client/chart_options.h"

enum export_kind { EXPORT_SVG, EXPORT_PNG, EXPORT_CSV, EXPORT_KINDS };
extern const char *const export_suffix[EXPORT_KINDS]; /* "svg" */

enum { EXPORT_WIDTH = 900, EXPORT_HEIGHT = 440, EXPORT_PANEL_HEIGHT = 320 };
struct chart_file {
    enum export_kind kind;
    const char *path;  /* CSV: "-" is standard output */
    int width, height; /* pixels of one chart; 0: EXPORT_WIDTH, EXPORT_HEIGHT (EXPORT_PANEL_HEIGHT of several) */
    bool dark;
};
/* The charts one under another. Whole or not at all, where it is a file. */
bool chart_save(const struct chart_file *file, const struct chart *charts, size_t n, struct err *err) MUST_USE;
/* What is seen, as comma-separated values: a line for every x of any line inside the x range, ascending; a column for
 * every curve, and one for its smoothed form. "loss", "loss (smooth)"; of several runs "digits loss". A line without a
 * value there: empty. */
void chart_add_csv(const struct chart *charts, size_t n, struct str *out);

/* What `antler plot` has to be told to draw the same. */
struct chart_command {
    const char *home;           /* NULL: the one it finds by itself */
    const char *const *runs;    /* as it is to find them */
    const char *const *metrics; /* all of all panels */
    const char *const *bright;  /* runs that stand out of a cloud */
    size_t n_runs, n_metrics, n_bright;
    const struct chart_options *options;
};
/* "antler plot digits --metric loss --x epoch --log-y", every word quoted as a shell wants it. */
void chart_add_command(const struct chart_command *command, struct str *out);

#endif
