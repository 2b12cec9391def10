/* The plain way in C, written for comparison: what pycocotools does, one loop and one thread a function.
   Masks are bytes in column-major order; runs alternate between background and foreground. */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef int64_t i64;

/* Runs of n bytes; returns how many. */
int baseline_encode(const u8 *pixels, int n, u32 *counts)
{
    int runs = 0;
    u32 length = 0;
    u8 colour = 0;
    for (int i = 0; i < n; i++) {
        if (pixels[i] != colour) {
            counts[runs++] = length;
            length = 0;
            colour = pixels[i];
        }
        length++;
    }
    counts[runs++] = length;
    return runs;
}

/* The same for a row-major bitmap: transposed first, as numpy's asfortranarray does. */
int baseline_encode_rows(const u8 *bitmap, int width, int height, u8 *scratch, u32 *counts)
{
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            scratch[(size_t)x * height + y] = bitmap[(size_t)y * width + x];
    return baseline_encode(scratch, width * height, counts);
}

void baseline_decode(const u32 *counts, int runs, u8 *pixels)
{
    u8 colour = 0;
    for (int i = 0; i < runs; i++) {
        for (u32 j = 0; j < counts[i]; j++)
            *pixels++ = colour;
        colour = !colour;
    }
}

void baseline_decode_rows(const u32 *counts, int runs, int width, int height, u8 *scratch, u8 *bitmap)
{
    baseline_decode(counts, runs, scratch);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            bitmap[(size_t)y * width + x] = scratch[(size_t)x * height + y];
}

/* The sum is kept where the caller wants it, as pycocotools keeps it in its array of areas. */
void baseline_area(const u32 *counts, int runs, u32 *area)
{
    *area = 0;
    for (int i = 1; i < runs; i += 2)
        *area += counts[i];
}

/* A better way: the compiler turns this loop into vectors. */
u32 baseline_area_in_a_register(const u32 *counts, int runs)
{
    u32 area = 0;
    for (int i = 1; i < runs; i += 2)
        area += counts[i];
    return area;
}

/* x, y, width, height. */
void baseline_box(const u32 *counts, int runs, int width, int height, u32 *box)
{
    u32 left = width, top = height, right = 0, bottom = 0, end = 0, h = height, previous = 0;
    runs = runs / 2 * 2;
    if (runs == 0) {
        memset(box, 0, 4 * sizeof(u32));
        return;
    }
    for (int i = 0; i < runs; i++) {
        end += counts[i];
        u32 at = end - i % 2, y = at % h, x = (at - y) / h;
        if (i % 2 == 0)
            previous = x;
        else if (previous < x) {
            top = 0;
            bottom = h - 1;
        }
        if (x < left) left = x;
        if (x > right) right = x;
        if (y < top) top = y;
        if (y > bottom) bottom = y;
    }
    box[0] = left;
    box[1] = top;
    box[2] = right - left + 1;
    box[3] = bottom - top + 1;
}

int baseline_to_text(const u32 *counts, int runs, char *text)
{
    int length = 0;
    for (int i = 0; i < runs; i++) {
        long value = counts[i];
        if (i > 2)
            value -= counts[i - 2];
        int more = 1;
        while (more) {
            char group = value & 0x1f;
            value >>= 5;
            more = group & 0x10 ? value != -1 : value != 0;
            if (more)
                group |= 0x20;
            text[length++] = group + 48;
        }
    }
    text[length] = 0;
    return length;
}

int baseline_from_text(const char *text, u32 *counts)
{
    int runs = 0;
    while (*text) {
        long value = 0;
        int shift = 0, more = 1;
        while (more) {
            char group = *text++ - 48;
            value |= (long)(group & 0x1f) << shift;
            more = group & 0x20;
            shift += 5;
            if (!more && (group & 0x10))
                value |= -1L << shift;
        }
        if (runs > 2)
            value += counts[runs - 2];
        counts[runs++] = (u32)value;
    }
    return runs;
}

/* The same to a new array, as pycocotools makes a mask: room for a run a character first, then as much as is needed. */
u32 *baseline_new_from_text(const char *text, int *runs)
{
    u32 *room = malloc(sizeof(u32) * strlen(text));
    *runs = baseline_from_text(text, room);
    u32 *counts = malloc(sizeof(u32) * *runs);
    memcpy(counts, room, sizeof(u32) * *runs);
    free(room);
    return counts;
}

void baseline_free(u32 *counts)
{
    free(counts);
}

int baseline_merge(const u32 *a, int runs_a, const u32 *b, int runs_b, int intersect, u32 *counts)
{
    u32 left_a = a[0], left_b = b[0], length = 0, step, rest = 1;
    int i = 1, j = 1, runs = 0, colour = 0, colour_a = 0, colour_b = 0;
    while (rest > 0) {
        step = left_a < left_b ? left_a : left_b;
        length += step;
        rest = 0;
        left_a -= step;
        if (!left_a && i < runs_a) {
            left_a = a[i++];
            colour_a = !colour_a;
        }
        rest += left_a;
        left_b -= step;
        if (!left_b && j < runs_b) {
            left_b = b[j++];
            colour_b = !colour_b;
        }
        rest += left_b;
        int before = colour;
        colour = intersect ? colour_a && colour_b : colour_a || colour_b;
        if (colour != before || rest == 0) {
            counts[runs++] = length;
            length = 0;
        }
    }
    return runs;
}

/* Intersection over union of two masks whose boxes meet. */
static double pair_iou(const u32 *a, int runs_a, const u32 *b, int runs_b)
{
    u32 left_a = a[0], left_b = b[0], step, rest = 1, both = 0, either = 0;
    int i = 1, j = 1, colour_a = 0, colour_b = 0;
    while (rest > 0) {
        step = left_a < left_b ? left_a : left_b;
        if (colour_a || colour_b) {
            either += step;
            if (colour_a && colour_b)
                both += step;
        }
        rest = 0;
        left_a -= step;
        if (!left_a && i < runs_a) {
            left_a = a[i++];
            colour_a = !colour_a;
        }
        rest += left_a;
        left_b -= step;
        if (!left_b && j < runs_b) {
            left_b = b[j++];
            colour_b = !colour_b;
        }
        rest += left_b;
    }
    if (both == 0)
        either = 1;
    return (double)both / (double)either;
}

/* n detections by m ground truths, masks one after the other; iou[g * n + d]. */
void baseline_iou(const u32 *const *detections, const int *detection_runs, int n, const u32 *const *truths,
                  const int *truth_runs, int m, int width, int height, double *iou)
{
    u32 *boxes = malloc(sizeof(u32) * 4 * (n + m));
    for (int d = 0; d < n; d++)
        baseline_box(detections[d], detection_runs[d], width, height, boxes + 4 * d);
    for (int g = 0; g < m; g++)
        baseline_box(truths[g], truth_runs[g], width, height, boxes + 4 * (n + g));
    for (int g = 0; g < m; g++) {
        const u32 *b = boxes + 4 * (n + g);
        for (int d = 0; d < n; d++) {
            const u32 *a = boxes + 4 * d;
            i64 w = (i64)(a[0] + a[2] < b[0] + b[2] ? a[0] + a[2] : b[0] + b[2]) - (a[0] > b[0] ? a[0] : b[0]);
            i64 h = (i64)(a[1] + a[3] < b[1] + b[3] ? a[1] + a[3] : b[1] + b[3]) - (a[1] > b[1] ? a[1] : b[1]);
            iou[(size_t)g * n + d] = w <= 0 || h <= 0 ? 0
                : pair_iou(detections[d], detection_runs[d], truths[g], truth_runs[g]);
        }
    }
    free(boxes);
}

static int compare(const void *a, const void *b)
{
    u32 c = *(const u32 *)a, d = *(const u32 *)b;
    return c > d ? 1 : c < d ? -1 : 0;
}

/* x0, y0, x1, y1, ...: every point of every edge on a grid of five steps a pixel. */
int baseline_polygon(const double *xy, int corners, int width, int height, u32 *counts)
{
    const double scale = 5;
    int *x = malloc(sizeof(int) * (corners + 1)), *y = malloc(sizeof(int) * (corners + 1));
    size_t total = 0;
    for (int j = 0; j < corners; j++) {
        x[j] = (int)(scale * xy[2 * j] + .5);
        y[j] = (int)(scale * xy[2 * j + 1] + .5);
    }
    x[corners] = x[0];
    y[corners] = y[0];
    for (int j = 0; j < corners; j++) {
        int dx = abs(x[j] - x[j + 1]), dy = abs(y[j] - y[j + 1]);
        total += (dx > dy ? dx : dy) + 1;
    }
    int *u = malloc(sizeof(int) * total), *v = malloc(sizeof(int) * total);
    size_t points = 0;
    for (int j = 0; j < corners; j++) {
        int xs = x[j], xe = x[j + 1], ys = y[j], ye = y[j + 1];
        int dx = abs(xe - xs), dy = abs(ys - ye);
        int flip = (dx >= dy && xs > xe) || (dx < dy && ys > ye);
        if (flip) {
            int t = xs;
            xs = xe;
            xe = t;
            t = ys;
            ys = ye;
            ye = t;
        }
        double slope = dx >= dy ? (double)(ye - ys) / dx : (double)(xe - xs) / dy;
        if (dx >= dy) {
            for (int d = 0; d <= dx; d++) {
                int t = flip ? dx - d : d;
                u[points] = t + xs;
                v[points++] = (int)(ys + slope * t + .5);
            }
        } else {
            for (int d = 0; d <= dy; d++) {
                int t = flip ? dy - d : d;
                v[points] = t + ys;
                u[points++] = (int)(xs + slope * t + .5);
            }
        }
    }
    u32 *at = malloc(sizeof(u32) * (points + 1));
    int crossings = 0;
    for (size_t j = 1; j < points; j++) {
        if (u[j] == u[j - 1])
            continue;
        double xd = u[j] < u[j - 1] ? u[j] : u[j] - 1;
        xd = (xd + .5) / scale - .5;
        if (floor(xd) != xd || xd < 0 || xd > width - 1)
            continue;
        double yd = v[j] < v[j - 1] ? v[j] : v[j - 1];
        yd = (yd + .5) / scale - .5;
        if (yd < 0)
            yd = 0;
        else if (yd > height)
            yd = height;
        at[crossings++] = (u32)((int)xd * height + (int)ceil(yd));
    }
    at[crossings++] = (u32)(height * width);
    qsort(at, crossings, sizeof(u32), compare);
    u32 before = 0;
    for (int j = 0; j < crossings; j++) {
        u32 t = at[j];
        at[j] -= before;
        before = t;
    }
    int runs = 0, j = 0;
    counts[runs++] = at[j++];
    while (j < crossings) {
        if (at[j] > 0) {
            counts[runs++] = at[j++];
        } else {
            j++;
            if (j < crossings)
                counts[runs - 1] += at[j++];
        }
    }
    free(x);
    free(y);
    free(u);
    free(v);
    free(at);
    return runs;
}

static int find_root(int *parent, int i)
{
    while (parent[i] != i)
        i = parent[i] = parent[parent[i]];
    return i;
}

/* 8-connected regions of a row-major bitmap, two passes over the pixels; returns how many. labels has width * height,
   parent width * height / 2 + 2 elements. */
int baseline_components(const u8 *bitmap, int width, int height, int *labels, int *parent)
{
    int next = 1;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            size_t i = (size_t)y * width + x;
            if (!bitmap[i]) {
                labels[i] = 0;
                continue;
            }
            int label = 0;
            const int dx[4] = {-1, -1, 0, 1}, dy[4] = {0, -1, -1, -1};
            for (int k = 0; k < 4; k++) {
                int nx = x + dx[k], ny = y + dy[k];
                if (nx < 0 || nx >= width || ny < 0)
                    continue;
                int other = labels[(size_t)ny * width + nx];
                if (!other)
                    continue;
                if (!label) {
                    label = other;
                } else if (label != other) {
                    int a = find_root(parent, label), b = find_root(parent, other);
                    if (a < b) parent[b] = a;
                    else parent[a] = b;
                }
            }
            if (!label) {
                label = next++;
                parent[label] = label;
            }
            labels[i] = label;
        }
    }
    int regions = 0;
    for (int i = 1; i < next; i++) {
        if (parent[i] == i)
            regions++;
        else
            parent[i] = find_root(parent, i);
    }
    for (size_t i = 0; i < (size_t)width * height; i++)
        if (labels[i])
            labels[i] = parent[labels[i]];
    return regions;
}

/* Boxes in order of score, left, top, right, bottom; keep[i] says whether box i is kept. */
int baseline_nms(const float *boxes, int n, float threshold, u8 *keep)
{
    int kept = 0;
    memset(keep, 1, n);
    for (int i = 0; i < n; i++) {
        if (!keep[i])
            continue;
        kept++;
        const float *a = boxes + 4 * (size_t)i;
        float area = (a[2] - a[0]) * (a[3] - a[1]);
        for (int j = i + 1; j < n; j++) {
            if (!keep[j])
                continue;
            const float *b = boxes + 4 * (size_t)j;
            float w = (a[2] < b[2] ? a[2] : b[2]) - (a[0] > b[0] ? a[0] : b[0]);
            float h = (a[3] < b[3] ? a[3] : b[3]) - (a[1] > b[1] ? a[1] : b[1]);
            if (w < 0) w = 0;
            if (h < 0) h = 0;
            float both = w * h;
            if (both / (area + (b[2] - b[0]) * (b[3] - b[1]) - both) > threshold)
                keep[j] = 0;
        }
    }
    return kept;
}

/* What follows works on row-major bitmaps of bytes, pixel by pixel, as an image library's plain loops do. */

/* Any pixel of a square, down first and then along. */
void baseline_dilate(const u8 *bitmap, int width, int height, int radius, u8 *scratch, u8 *result)
{
    for (int y = 0; y < height; y++) {
        int first = y < radius ? 0 : y - radius, last = y + radius < height ? y + radius : height - 1;
        for (int x = 0; x < width; x++) {
            u8 any = 0;
            for (int i = first; i <= last; i++) any |= bitmap[(size_t)i * width + x];
            scratch[(size_t)y * width + x] = any;
        }
    }
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            int first = x < radius ? 0 : x - radius, last = x + radius < width ? x + radius : width - 1;
            u8 any = 0;
            for (int i = first; i <= last; i++) any |= scratch[(size_t)y * width + i];
            result[(size_t)y * width + x] = any;
        }
    }
}

/* Any pixel of a disk. */
void baseline_dilate_disk(const u8 *bitmap, int width, int height, int radius, u8 *result)
{
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            u8 any = 0;
            for (int dy = -radius; dy <= radius && !any; dy++) {
                int row = y + dy;
                if (row < 0 || row >= height) continue;
                for (int dx = -radius; dx <= radius; dx++) {
                    int column = x + dx;
                    if (column < 0 || column >= width || dx * dx + dy * dy > radius * radius) continue;
                    any |= bitmap[(size_t)row * width + column];
                }
            }
            result[(size_t)y * width + x] = any;
        }
    }
}

void baseline_transpose(const u8 *bitmap, int width, int height, u8 *result)
{
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            result[(size_t)x * height + y] = bitmap[(size_t)y * width + x];
}

/* The pixel that each centre lies in. */
void baseline_resize(const u8 *bitmap, int width, int height, int new_width, int new_height, u8 *result)
{
    for (int y = 0; y < new_height; y++) {
        const u8 *row = bitmap + (size_t)((2 * (i64)y + 1) * height / (2 * (i64)new_height)) * width;
        for (int x = 0; x < new_width; x++)
            result[(size_t)y * new_width + x] = row[(2 * (i64)x + 1) * width / (2 * (i64)new_width)];
    }
}

/* Twice the pixels in both, by the sum of the areas; pixels are 0 or 1. */
double baseline_dice(const u8 *a, const u8 *b, int n)
{
    i64 both = 0, sum = 0;
    for (int i = 0; i < n; i++) {
        both += a[i] & b[i];
        sum += a[i] + b[i];
    }
    return both == 0 ? 0 : 2 * both / (double)sum;
}
