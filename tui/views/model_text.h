/* model_text.h - the answer of `inspect` as lines to read. */
#ifndef TUI_VIEWS_MODEL_TEXT_H
#define TUI_VIEWS_MODEL_TEXT_H

#include "base/json.h"
#include "tui/widgets/widget_page.h"

void model_text_add(struct page *page, const json_t *result);
/* The weights of the layers of two files: which only one has, and whose shapes differ. */
void model_text_differences(struct page *page, const json_t *left, const json_t *right);

#endif
