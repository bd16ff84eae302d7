/* widget_picture.c - see widget_picture.h */
#include "tui/widgets/widget_picture.h"

#include "base/arena.h"

#include <stdlib.h>

/* Each pixel repeated: tile_fit never enlarges, small pictures want to be seen. free() it. */
static float *enlarged(const float *from, int height, int width, int channels, int zoom)
{
    float *out =
              xcalloc((size_t)height * (size_t)width * (size_t)channels * (size_t)zoom * (size_t)zoom + 1, sizeof *out),
          *to = out;
    for (int y = 0; y < height * zoom; y++)
        for (int x = 0; x < width * zoom; x++)
            for (int c = 0; c < channels; c++)
                *to++ = from[((size_t)(y / zoom) * (size_t)width + (size_t)(x / zoom)) * (size_t)channels + (size_t)c];
    return out;
}

int picture_draw(const float *values, int height, int width, int channels, int most_zoom, enum tile_depth depth,
                 struct grid *grid, struct rect rect)
{
    int rows, cols, zoom = 1;
    if (rect.w < 2 || rect.h < 1 || height < 1 || width < 1)
        return 0;
    while (zoom < most_zoom && width * (zoom + 1) <= rect.w && height * (zoom + 1) <= 2 * rect.h)
        zoom++;
    float *large = enlarged(values, height, width, channels, zoom);
    tile_fit(height * zoom, width * zoom, rect.h, rect.w, &rows, &cols);
    struct tile_cell *cells = xcalloc((size_t)rows * (size_t)cols + 1, sizeof *cells);
    tile_image(large, height * zoom, width * zoom, channels, grid->ascii ? TILE_ASCII : depth, cells, rows, cols);
    grid_tiles(grid, rect, cells, rows, cols);
    free(cells);
    free(large);
    return rows;
}
