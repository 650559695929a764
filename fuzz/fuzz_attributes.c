/* What attributes say of elements: which are missing, how they are packed, what their units mean. */
#include "fuzz.h"

#include "stats/decode.h"
#ifdef VV_FUZZ_PLOT
#include "plot/axis.h"
#endif

#include <varvite/calendar.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A date that is read ends behind its beginning. */
static void try_dates(const char *text, const char *calendar)
{
    const char *units = "seconds since 1970-01-01";
    char written[64];
    double first, end;

    if (vv_calendar_span(units, calendar, text, &first, &end, NULL) == VV_OK ||
        vv_calendar_span(units, NULL, text, &first, &end, NULL) == VV_OK) {
        CHECK(isfinite(first) && isfinite(end) && first < end);
        CHECK(vv_calendar_date(units, NULL, first, written, sizeof(written)) < 64);
    }
}

#ifdef VV_FUZZ_PLOT
/* Units and calendar as they come from attributes: any text. */
static void try_units(const char *text, double value)
{
    vv_plot_axis axis = { .count = 1, .units = text, .calendar = strchr(text, ' ') };
    char label[VVI_TEXT_SIZE], small[8];
    static vvi_ticks ticks;
    vvi_clock clock;

    vvi_label_text(text, text, label);
    vvi_units_text(text, small, sizeof(small));
    CHECK(strlen(label) < sizeof(label) && strlen(small) < sizeof(small));
    vv_plot_coordinate(&axis, value, label, sizeof(label));
    if (!vvi_clock_read(text, axis.calendar, &clock))
        return;
    CHECK(isfinite(clock.base) && clock.unit > 0);
    vvi_date date = vvi_date_of(clock.calendar, clock.base + value * clock.unit);
    CHECK(date.month >= 1 && date.month <= 12 && date.day >= 1 && date.day <= 31);
    if (fabs(value) < VVI_NUMBER_MAX) {
        vvi_ticks_dates(&clock, value, value + fabs(value) + 1, 7, &ticks);
        CHECK(ticks.count <= VVI_TICKS_MAX);
    }
}
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vvi_number numbers[8];
    vvi_left_out left_out = { 0, 0, 0 };
    vvi_decoding decoding;
    double doubles[4];

    if (len < 1 + 64)
        return 0;
    char *text = calloc(1, len - 64);
    memcpy(text, data + 65, len - 65);
    meta.dtype = (vv_dtype)(data[0] % (VV_BYTES + 1));
    meta.attributes = text;
    if (vvi_decoding_init(&decoding, &meta, NULL) == VV_OK) {
        size_t n = vvi_decode_finite(&decoding, data + 1, 4, numbers, &left_out);
        bool complex = decoding.kind == VVI_NUMBER_COMPLEX;
        CHECK((complex ? n / 2 : n) + left_out.missing + left_out.infinite == 4);
        CHECK(left_out.nan <= left_out.missing);
        if (!complex)
            vvi_decode_doubles(&decoding, data + 1, 4, doubles);
    }
    try_dates(text, strchr(text, ' '));
#ifdef VV_FUZZ_PLOT
    memcpy(doubles, data + 1, sizeof(double));
    try_units(text, doubles[0]);
#endif
    free(text);
    return 0;
}
