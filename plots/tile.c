/* tile.c - see tile.h */
#include "plots/tile.h"

#include <math.h>
#include <stdlib.h>

static double clamp_share(double share)
{
    return share > 0 ? share < 1 ? share : 1 : 0; /* NaN is 0 */
}

void tile_spark(const float *values, size_t n, bool ascii, uint32_t *out, int width)
{
    static const char low[] = "_.:-=+*#";
    double min = INFINITY, max = -INFINITY;
    if (width <= 0)
        return;
    if (n > (size_t)width) {
        values += n - (size_t)width;
        n = (size_t)width;
    }
    for (size_t i = 0; i < n; i++)
        if (isfinite(values[i])) {
            min = fmin(min, values[i]);
            max = fmax(max, values[i]);
        }
    for (int i = 0; i < width; i++) {
        out[i] = ' ';
        if ((size_t)i >= n || isnan(values[i]))
            continue;
        if (isinf(values[i])) {
            out[i] = ascii ? 'x' : 0xD7;
            continue;
        }
        int level = max > min ? (int)((values[i] - min) / (max - min) * 7 + 0.5) : 3;
        out[i] = ascii ? (uint32_t)low[level] : 0x2581u + (uint32_t)level;
    }
}

void tile_bar(double share, bool ascii, uint32_t *out, int width)
{
    int eighths = (int)(clamp_share(share) * width * 8 + 0.5);
    if (share > 0 && eighths == 0)
        eighths = 1;
    for (int i = 0; i < width; i++, eighths -= 8) {
        if (ascii)
            out[i] = eighths >= 4 ? '#' : eighths > 0 ? '-' : ' ';
        else
            out[i] = eighths >= 8 ? 0x2588u : eighths > 0 ? 0x2590u - (uint32_t)eighths : ' ';
    }
}

uint32_t tile_shade(double share, bool ascii)
{
    static const uint32_t blocks[] = {' ', 0x2591, 0x2592, 0x2593, 0x2588};
    static const char letters[] = " .:+#";
    share = clamp_share(share);
    int k = share == 0 ? 0 : 1 + (int)(share * 3.999);
    return ascii ? (uint32_t)letters[k] : blocks[k];
}

/* Blues of the cube, from the paper's side to the ink's side. */
int tile_heat(double share, bool light)
{
    static const uint8_t dark[] = {234, 17, 18, 24, 25, 31, 32, 38, 74, 117},
                         paper[] = {255, 195, 153, 117, 74, 38, 32, 25, 24, 18};
    int k = (int)(clamp_share(share) * 9.999);
    return light ? paper[k] : dark[k];
}

int tile_ink(double share, bool light)
{
    bool bright_ground = light ? share < 0.7 : share >= 0.6;
    return bright_ground ? 16 : 231;
}

int tile_palette(int red, int green, int blue)
{
    static const int level[] = {0, 95, 135, 175, 215, 255};
    int rgb[3] = {red, green, blue}, at[3], cube_error = 0, mean = (red + green + blue) / 3, grey_error = 0;
    for (int c = 0; c < 3; c++) {
        at[c] = 0;
        for (int k = 1; k < 6; k++)
            if (abs(level[k] - rgb[c]) < abs(level[at[c]] - rgb[c]))
                at[c] = k;
        cube_error += (level[at[c]] - rgb[c]) * (level[at[c]] - rgb[c]);
    }
    int step = mean < 3 ? 0 : mean > 238 ? 23 : (mean - 3) / 10, grey = 8 + 10 * step;
    for (int c = 0; c < 3; c++)
        grey_error += (grey - rgb[c]) * (grey - rgb[c]);
    return grey_error < cube_error ? 232 + step : 16 + 36 * at[0] + 6 * at[1] + at[2];
}

/* Mean of one channel over image rows [y0, y1) and columns [x0, x1), at least one pixel. */
static double mean_of(const float *image, int height, int width, int channels, int channel, double y0, double y1,
                      double x0, double x1)
{
    int top = (int)y0, bottom = (int)ceil(y1), left = (int)x0, right = (int)ceil(x1);
    bottom = bottom > height ? height : bottom <= top ? top + 1 : bottom;
    right = right > width ? width : right <= left ? left + 1 : right;
    double sum = 0;
    for (int y = top; y < bottom; y++)
        for (int x = left; x < right; x++)
            sum += clamp_share(image[((size_t)y * (size_t)width + (size_t)x) * (size_t)channels + (size_t)channel]);
    return sum / ((bottom - top) * (right - left));
}

static uint32_t true_color(const double rgb[3])
{
    uint32_t out = TILE_RGB;
    for (int c = 0; c < 3; c++)
        out |= (uint32_t)(rgb[c] * 255 + 0.5) << (16 - 8 * c);
    return out;
}

/* The sixteen as xterm has them; terminals differ, so nothing finer is tried. */
static uint32_t nearest_of_16(const double rgb[3])
{
    static const uint8_t palette[16][3] = {{0, 0, 0},       {205, 0, 0},   {0, 205, 0},   {205, 205, 0},
                                           {0, 0, 238},     {205, 0, 205}, {0, 205, 205}, {229, 229, 229},
                                           {127, 127, 127}, {255, 0, 0},   {0, 255, 0},   {255, 255, 0},
                                           {92, 92, 255},   {255, 0, 255}, {0, 255, 255}, {255, 255, 255}};
    uint32_t best = 0;
    double least = INFINITY;
    for (uint32_t k = 0; k < 16; k++) {
        double error = 0;
        for (int c = 0; c < 3; c++)
            error += (palette[k][c] - rgb[c] * 255) * (palette[k][c] - rgb[c] * 255);
        if (error < least) {
            least = error;
            best = k;
        }
    }
    return best;
}

/* Bayer's matrix of 4 x 4, from -0.5 to 0.5: what sixteen colours cannot show, neighbours show together. */
static double dither(int y, int x)
{
    static const uint8_t matrix[4][4] = {{0, 8, 2, 10}, {12, 4, 14, 6}, {3, 11, 1, 9}, {15, 7, 13, 5}};
    return (matrix[y & 3][x & 3] + 0.5) / 16 - 0.5;
}

static uint32_t color_of(const double rgb[3], enum tile_depth depth, int y, int x)
{
    enum { SPREAD = 3 }; /* of the sixteen: about as far as they are from each other */
    double shifted[3];
    if (depth == TILE_TRUE)
        return true_color(rgb);
    if (depth == TILE_256)
        return (uint32_t)tile_palette((int)(rgb[0] * 255 + 0.5), (int)(rgb[1] * 255 + 0.5), (int)(rgb[2] * 255 + 0.5));
    for (int c = 0; c < 3; c++)
        shifted[c] = clamp_share(rgb[c] + dither(y, x) / SPREAD);
    return nearest_of_16(shifted);
}

/* As bright as it looks; of grey, the grey itself. */
static double lightness(const double rgb[3])
{
    return rgb[0] == rgb[1] && rgb[1] == rgb[2] ? rgb[0] : 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
}

/* row, col: of the cell, for the dither. */
static struct tile_cell image_cell(const double half[2][3], enum tile_depth depth, int row, int col)
{
    static const char ramp[] = " .:-=+*#%@";
    static const uint32_t blocks[] = {' ', 0x2580, 0x2584, 0x2588};
    double upper = lightness(half[0]), lower = lightness(half[1]);
    if (depth == TILE_ASCII)
        return (struct tile_cell){.ch = (uint32_t)ramp[(int)((upper + lower) / 2 * 9.999)]};
    if (depth == TILE_BLOCKS) {
        if (fabs(upper - lower) < 0.4)
            return (struct tile_cell){.ch = tile_shade((upper + lower) / 2, false)};
        return (struct tile_cell){.ch = blocks[(upper > lower) + 2 * (lower > upper)]};
    }
    uint32_t color[2];
    for (int k = 0; k < 2; k++)
        color[k] = color_of(half[k], depth, 2 * row + k, col);
    return (struct tile_cell){0x2580, color[0], color[1], true};
}

void tile_image(const float *image, int height, int width, int channels, enum tile_depth depth, struct tile_cell *out,
                int rows, int cols)
{
    for (int row = 0; row < rows; row++)
        for (int col = 0; col < cols; col++) {
            double half[2][3];
            for (int k = 0; k < 2; k++)
                for (int c = 0; c < 3; c++)
                    half[k][c] =
                        mean_of(image, height, width, channels, channels == 3 ? c : 0,
                                (2.0 * row + k) * height / (2.0 * rows), (2.0 * row + k + 1) * height / (2.0 * rows),
                                (double)col * width / cols, (col + 1.0) * width / cols);
            out[row * cols + col] = image_cell(half, depth, row, col);
        }
}

void tile_fit(int height, int width, int max_rows, int max_cols, int *rows, int *cols)
{
    double zoom = fmin(fmin((double)max_cols / width, 2.0 * max_rows / height), 1);
    *cols = (int)fmax(1, floor(width * zoom + 1e-9));
    *rows = (int)fmax(1, ceil(height * zoom / 2 - 1e-9));
    if (*rows > max_rows)
        *rows = max_rows > 0 ? max_rows : 1;
}
