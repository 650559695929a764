#include "trajectory/made_dcd.h"

#include "util/buf.h"

typedef struct writer {
    const made_dcd *what;
    vv_buf *out;
} writer;

static void put(writer *w, const void *value, size_t len, bool is_number)
{
    uint8_t bytes[8];

    if (!is_number) {
        assert_int_equal(vvi_buf_append(w->out, vvi_bytes(value, len), NULL), VV_OK);
        return;
    }
    for (size_t i = 0; i < len; i++)
        bytes[i] = ((const uint8_t *)value)[w->what->big ? len - 1 - i : i];
    assert_int_equal(vvi_buf_append(w->out, vvi_bytes(bytes, len), NULL), VV_OK);
}

static void put_mark(writer *w, uint64_t len)
{
    uint32_t narrow = (uint32_t)len;

    if (w->what->wide)
        put(w, &len, 8, true);
    else
        put(w, &narrow, 4, true);
}

static void put_header(writer *w)
{
    const made_dcd *what = w->what;
    int32_t control[20] = { 0 };
    double delta = what->delta;

    control[0] = (int32_t)what->frames;
    control[1] = what->first;
    control[2] = what->by;
    control[8] = (int32_t)what->fixed;
    control[10] = what->cell[0] != 0;
    control[11] = what->fourth;
    control[19] = what->xplor ? 0 : 24;
    put_mark(w, 84);
    put(w, what->velocities ? "VELD" : "CORD", 4, false);
    for (size_t i = 0; i < 20; i++)
        if (i == 9 && what->xplor) {
            put(w, &delta, 8, true);
            i++;
        } else if (i == 9) {
            put(w, &what->delta, 4, true);
        } else {
            put(w, &control[i], 4, true);
        }
    put_mark(w, 84);
}

static void put_title(writer *w)
{
    static const char lines[160] = "made for a test";
    int32_t count = 2;

    put_mark(w, 164);
    put(w, &count, 4, true);
    put(w, lines, sizeof(lines), false);
    put_mark(w, 164);
}

float made_dcd_value(const made_dcd *what, uint32_t frame, uint32_t atom, uint32_t d)
{
    uint32_t moment = atom < what->fixed ? 0 : frame;

    return (float)atom * 8 + (float)moment * 0.125f - (float)d * 1000;
}

static void put_frame(writer *w, uint32_t frame)
{
    const made_dcd *what = w->what;
    uint32_t first = frame ? what->fixed : 0;
    uint64_t bytes = 4 * (uint64_t)(what->atoms - first);

    if (what->cell[0] != 0) {
        put_mark(w, 48);
        for (size_t i = 0; i < 6; i++)
            put(w, &what->cell[i], 8, true);
        put_mark(w, 48);
    }
    for (uint32_t d = 0; d < (what->fourth ? 4 : 3); d++) {
        put_mark(w, bytes);
        for (uint32_t atom = first; atom < what->atoms; atom++) {
            float value = made_dcd_value(what, frame, atom, d);

            put(w, &value, 4, true);
        }
        put_mark(w, bytes);
    }
}

void make_dcd(const made_dcd *what, vv_buf *out)
{
    writer w = { .what = what, .out = out };

    out->len = 0;
    put_header(&w);
    put_title(&w);
    put_mark(&w, 4);
    put(&w, &what->atoms, 4, true);
    put_mark(&w, 4);
    if (what->fixed) {
        put_mark(&w, 4 * (uint64_t)(what->atoms - what->fixed));
        for (uint32_t atom = what->fixed + 1; atom <= what->atoms; atom++)
            put(&w, &atom, 4, true);
        put_mark(&w, 4 * (uint64_t)(what->atoms - what->fixed));
    }
    for (uint32_t frame = 0; frame < what->frames; frame++)
        put_frame(&w, frame);
}
