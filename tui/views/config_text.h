/* config_text.h - a config as an indented tree to read: scalars beside their keys, layers one a line with what is
 * special about them. */
#ifndef TUI_VIEWS_CONFIG_TEXT_H
#define TUI_VIEWS_CONFIG_TEXT_H

#include "base/json.h"
#include "tui/widgets/widget_page.h"

void config_text(struct page *page, const json_t *config);

#endif
