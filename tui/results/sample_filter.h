/* sample_filter.h - which samples a person wants to see: words separated by blanks, all of which must fit.
 *
 *   wrong  right              the predicted class is (not) the true one
 *   class:3  class:cat        the true class, by number or name
 *   said:8                    the predicted class
 *   p<0.8                     probability of the predicted class; < <= > >= =
 *   error>1                   |said - true| of a single number
 *   n<100                     the number of the sample
 *   fixed  broken  changed    beside another checkpoint: it is right and was wrong there, wrong and was right, or says
 *                             another class
 *   cat                       any other word: in the name of the true or of the predicted class
 */
#ifndef TUI_RESULTS_SAMPLE_FILTER_H
#define TUI_RESULTS_SAMPLE_FILTER_H

#include "tui/results/sample.h"

/* ERR_USAGE says which word is not understood. "" fits every text. */
bool sample_filter_check(const char *filter, struct err *err) MUST_USE;
/* filter: one that was checked. */
bool sample_filter_matches(const char *filter, const struct sample *sample, const struct sample_data *data);

#endif
