#include "plot/fit.h"

#include <string.h>

#define DOTS     "…"
#define SMALLEST 0.85 /* of the size of letters that is asked for */

/* Copy what can be shown, and blanks for what breaks lines; never half of a character. */
static void copy(const char *text, size_t len, char out[VVI_FIT_SIZE])
{
    size_t n = len < VVI_FIT_SIZE ? len : VVI_FIT_SIZE - 1;

    while (n < len && n && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    for (size_t i = 0; i < n; i++)
        out[i] = (char)((unsigned char)text[i] <= ' ' ? ' ' : text[i]);
    out[n] = '\0';
}

static double width_of(vvi_canvas *canvas, const char *text, size_t len, double size,
                       bool bold)
{
    char part[VVI_FIT_SIZE];

    copy(text, len, part);
    return vvi_canvas_text_width(canvas, part, size, bold);
}

/* How many bytes of the text fit into the room, as whole characters. */
static size_t fitting(vvi_canvas *canvas, const char *text, double size, bool bold,
                      double room)
{
    size_t low = 0, high = strlen(text);

    if (width_of(canvas, text, high, size, bold) <= room)
        return high;
    while (high - low > 1) { /* low bytes fit, high do not */
        size_t middle = low + (high - low) / 2;
        if (width_of(canvas, text, middle, size, bold) <= room)
            low = middle;
        else
            high = middle;
    }
    while (low && ((unsigned char)text[low] & 0xc0) == 0x80)
        low--;
    return low;
}

void vvi_fit_cut(vvi_canvas *canvas, const char *text, double size, bool bold,
                 double room, char out[VVI_FIT_SIZE])
{
    double dots = vvi_canvas_text_width(canvas, DOTS, size, bold);
    char whole[VVI_FIT_SIZE];

    copy(text, strlen(text), whole);
    size_t n = fitting(canvas, whole, size, bold, room);
    if (whole[n] == '\0' && strlen(text) == n) {
        memcpy(out, whole, n + 1);
        return;
    }
    n = room > dots ? fitting(canvas, whole, size, bold, room - dots) : 0;
    n = n + sizeof(DOTS) <= VVI_FIT_SIZE ? n : VVI_FIT_SIZE - sizeof(DOTS);
    while (n && (whole[n - 1] == ' ' || ((unsigned char)whole[n] & 0xc0) == 0x80))
        n--;
    memcpy(out, whole, n);
    strcpy(out + n, room >= dots ? DOTS : "");
}

void vvi_fit_label(vvi_canvas *canvas, const char *text, double size, double room,
                   char out[VVI_FIT_SIZE])
{
    const char *units = strrchr(text, '(');
    char name[VVI_FIT_SIZE];
    size_t len = strlen(text);

    if (!units || units - text < 2 || units[-1] != ' ' || text[len - 1] != ')' ||
        len >= VVI_FIT_SIZE || width_of(canvas, text, len, size, false) <= room) {
        vvi_fit_cut(canvas, text, size, false, room, out);
        return;
    }
    units--;
    copy(text, (size_t)(units - text), name);
    room -= vvi_canvas_text_width(canvas, units, size, false);
    vvi_fit_cut(canvas, name, size, false, room, out);
    size_t n = strlen(out);
    n = n + strlen(units) < VVI_FIT_SIZE ? n : VVI_FIT_SIZE - 1 - strlen(units);
    strcpy(out + n, units + !n);
}

void vvi_fit_block(vvi_canvas *canvas, const char *text, double size, bool bold,
                   double room, vvi_block *out)
{
    double width = width_of(canvas, text, strlen(text), size, bold);
    char whole[VVI_FIT_SIZE];

    out->size = size;
    out->count = 1;
    if (width > room)
        out->size *= room / width > SMALLEST ? room / width : SMALLEST;
    copy(text, strlen(text), whole);
    size_t n = fitting(canvas, whole, out->size, bold, room * (1 + 1e-9));
    if (whole[n] == '\0') {
        vvi_fit_cut(canvas, text, out->size, bold, room * (1 + 1e-9), out->lines[0]);
        return;
    }
    size_t word = n; /* the first line ends with a word, unless there is but one */
    while (word && whole[word] != ' ')
        word--;
    n = word ? word : n;
    if (n == 0) {
        vvi_fit_cut(canvas, text, out->size, bold, room, out->lines[0]);
        return;
    }
    copy(whole, n, out->lines[0]);
    n += strspn(text + n, " \t\r\n");
    vvi_fit_cut(canvas, text + n, out->size, bold, room, out->lines[1]);
    out->count = *out->lines[1] ? 2 : 1;
}
