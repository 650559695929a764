/* Source: the layouts of CHARMM, X-PLOR and NAMD, as files of theirs have them; docs/format/frames.md. */
#include "trajectory/dcd.h"

#include "util/alloc.h"
#include "util/endian.h"
#include "util/file.h"

#include <math.h>
#include <string.h>

#define HEADER_BYTES 84
#define CELL_BYTES   48
#define ICNTRL       20

struct vvi_dcd {
    vvi_file file;
    vvi_dcd_info info;
    uint32_t mark; /* bytes of a length: 4 or 8 */
    bool has_fourth;
    uint64_t frames_at;
    uint64_t first_bytes, frame_bytes; /* of the first frame, and of each later one */
    uint64_t moving;                   /* atoms of a later frame */
    uint32_t *moves; /* which atoms these are, from 0 on; NULL: all of them */
    float *fixed;    /* the first frame, x, y and z; NULL: no atom is fixed */
};

/* ---- numbers ------------------------------------------------------------------------------------ */

static uint32_t get32(const vvi_dcd *self, const void *at)
{
    return self->info.big_endian ? vvi_get_be32(at) : vvi_get_le32(at);
}

static uint64_t get64(const vvi_dcd *self, const void *at)
{
    return self->info.big_endian ? vvi_get_be64(at) : vvi_get_le64(at);
}

static uint64_t get_mark(const vvi_dcd *self, const void *at)
{
    return self->mark == 8 ? get64(self, at) : get32(self, at);
}

static float get_float(const vvi_dcd *self, const void *at)
{
    uint32_t bits = get32(self, at);
    float value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

static double get_double(const vvi_dcd *self, const void *at)
{
    uint64_t bits = get64(self, at);
    double value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* ---- records ------------------------------------------------------------------------------------ */

static vv_status read_all(const vvi_dcd *self, uint64_t at, void *out, size_t len,
                          vv_error *err)
{
    size_t got = 0;

    VVI_TRY(vvi_file_read_at(&self->file, at, out, len, &got, err));
    return got == len
               ? VV_OK
               : vvi_fail(err, VV_ECORRUPT, "the file ends at byte %" PRIu64, at + got);
}

/* The length of the record at *at, whose two lengths must agree; *at becomes what is behind it. */
static vv_status take_record(const vvi_dcd *self, uint64_t *at, const char *what,
                             uint64_t *data, uint64_t *len, vv_error *err)
{
    uint8_t mark[8];
    uint64_t end, again;

    VVI_TRY(read_all(self, *at, mark, self->mark, err));
    *len = get_mark(self, mark);
    *data = *at + self->mark;
    if (__builtin_add_overflow(*data, *len, &end) || end > self->info.size ||
        self->info.size - end < self->mark)
        return vvi_fail(err, VV_ECORRUPT,
                        "%s at byte %" PRIu64 ": %" PRIu64
                        " bytes reach past the end of the file",
                        what, *at, *len);
    VVI_TRY(read_all(self, end, mark, self->mark, err));
    again = get_mark(self, mark);
    if (again != *len)
        return vvi_fail(err, VV_ECORRUPT,
                        "%s at byte %" PRIu64 ": a record of %" PRIu64
                        " bytes before it, of %" PRIu64 " behind it",
                        what, *at, *len, again);
    *at = end + self->mark;
    return VV_OK;
}

/*
 * The title: a number of lines and 80 bytes for each. Some writers state other lengths around it than it has (two lines'
 * for three), so what the number of lines comes to is tried first.
 */
static vv_status take_title(const vvi_dcd *self, uint64_t *at, vv_error *err)
{
    uint8_t front[8], back[8], lines[4];
    uint64_t data, len, end;

    VVI_TRY(read_all(self, *at, front, self->mark, err));
    VVI_TRY(read_all(self, *at + self->mark, lines, 4, err));
    end = *at + self->mark + 4 + 80 * (uint64_t)get32(self, lines);
    if (end <= self->info.size && self->info.size - end >= self->mark) {
        VVI_TRY(read_all(self, end, back, self->mark, err));
        if (get_mark(self, front) == get_mark(self, back)) {
            *at = end + self->mark;
            return VV_OK;
        }
    }
    return take_record(self, at, "the title", &data, &len, err);
}

/* Has a whole frame in memory a record of len bytes at *at? Moves *at to its end. */
static bool is_record(const vvi_dcd *self, const uint8_t *frame, uint64_t *at,
                      uint64_t len, const uint8_t **data)
{
    const uint8_t *front = frame + *at;

    *data = front + self->mark;
    *at += 2 * (uint64_t)self->mark + len;
    return get_mark(self, front) == len && get_mark(self, *data + len) == len;
}

/* ---- header ------------------------------------------------------------------------------------- */

/* Byte order and the length of lengths, by the first record's. */
static bool recognize(vvi_dcd *self, const uint8_t head[12])
{
    for (int wide = 0; wide < 2; wide++)
        for (int big = 0; big < 2; big++) {
            const uint8_t *magic = head + (wide ? 8 : 4);

            self->mark = wide ? 8 : 4;
            self->info.is_wide = wide;
            self->info.big_endian = big;
            self->info.is_velocity = memcmp(magic, "VELD", 4) == 0;
            if (get_mark(self, head) == HEADER_BYTES &&
                (self->info.is_velocity || memcmp(magic, "CORD", 4) == 0))
                return true;
        }
    return false;
}

static void take_control(vvi_dcd *self, const uint8_t *numbers)
{
    int32_t control[ICNTRL];
    vvi_dcd_info *info = &self->info;

    for (size_t i = 0; i < ICNTRL; i++)
        control[i] = (int32_t)get32(self, numbers + 4 * i);
    info->said = control[0] > 0 ? (uint64_t)control[0] : 0;
    info->first_step = control[1] >= 0 ? control[1] : -1;
    info->step_by = control[2] > 0 ? control[2] : 1;
    info->fixed = control[8] > 0 ? (uint64_t)control[8] : 0;
    /* X-PLOR, which gives no version, has a double there, over what is CHARMM's flag of a cell. */
    if (control[19]) {
        info->delta = get_float(self, numbers + 36);
        info->has_cell = control[10] != 0;
        self->has_fourth = control[11] == 1;
    } else {
        info->delta = get_double(self, numbers + 36);
    }
}

/* Those that move, numbered from 1 on. */
static vv_status read_moves(vvi_dcd *self, uint64_t at, uint64_t len, vv_error *err)
{
    uint64_t last = 0;

    if (len != 4 * self->moving)
        return vvi_fail(err, VV_ECORRUPT,
                        "%" PRIu64 " atoms move, and %" PRIu64 " bytes name them",
                        self->moving, len);
    self->moves = vvi_alloc((size_t)len);
    if (!self->moves)
        return vvi_fail_nomem(err, (size_t)len);
    VVI_TRY(read_all(self, at, self->moves, (size_t)len, err));
    for (uint64_t i = 0; i < self->moving; i++) {
        uint32_t atom = get32(self, &self->moves[i]);

        if (atom <= last || atom > self->info.atoms)
            return vvi_fail(err, VV_ECORRUPT,
                            "atom %" PRIu32 " of %" PRIu64 " is said to move", atom,
                            self->info.atoms);
        last = atom;
        self->moves[i] = atom - 1;
    }
    return VV_OK;
}

static uint64_t bytes_of_frame(const vvi_dcd *self, uint64_t atoms)
{
    uint64_t marks = 2 * (uint64_t)self->mark;

    return (self->info.has_cell ? marks + CELL_BYTES : 0) +
           (self->has_fourth ? 4 : 3) * (marks + 4 * atoms);
}

static void count_frames(vvi_dcd *self)
{
    uint64_t left = self->info.size - self->frames_at;

    self->info.frames = 0;
    if (left >= self->first_bytes) {
        left -= self->first_bytes;
        self->info.frames = 1 + left / self->frame_bytes;
        left %= self->frame_bytes;
    }
    self->info.rest = left;
}

static vv_status read_header(vvi_dcd *self, vv_error *err)
{
    uint8_t header[HEADER_BYTES], number[4];
    uint64_t at = 0, data, len;
    int32_t atoms;

    VVI_TRY(take_record(self, &at, "the header", &data, &len, err));
    VVI_TRY(read_all(self, data, header, sizeof(header), err));
    take_control(self, header + 4);
    VVI_TRY(take_title(self, &at, err));
    VVI_TRY(take_record(self, &at, "the number of atoms", &data, &len, err));
    if (len != 4)
        return vvi_fail(err, VV_ECORRUPT, "a number of atoms of %" PRIu64 " bytes", len);
    VVI_TRY(read_all(self, data, number, 4, err));
    atoms = (int32_t)get32(self, number);
    if (atoms <= 0 || self->info.fixed >= (uint64_t)atoms)
        return vvi_fail(err, VV_ECORRUPT,
                        "%" PRId32 " atoms, of which %" PRIu64 " do not move", atoms,
                        self->info.fixed);
    self->info.atoms = (uint64_t)atoms;
    self->moving = self->info.atoms - self->info.fixed;
    if (self->info.fixed) {
        VVI_TRY(take_record(self, &at, "the atoms that move", &data, &len, err));
        VVI_TRY(read_moves(self, data, len, err));
    }
    self->frames_at = at;
    self->first_bytes = bytes_of_frame(self, self->info.atoms);
    self->frame_bytes = bytes_of_frame(self, self->moving);
    count_frames(self);
    return VV_OK;
}

/* ---- frames ------------------------------------------------------------------------------------- */

static uint64_t frame_at(const vvi_dcd *self, uint64_t frame)
{
    return self->frames_at +
           (frame ? self->first_bytes + (frame - 1) * self->frame_bytes : 0);
}

/* A frame as it lies in the file, into frame, with its records checked. axes: where x, y and z begin. */
static vv_status load_frame(const vvi_dcd *self, uint64_t number, uint8_t *frame,
                            const uint8_t *axes[3], vv_error *err)
{
    uint64_t atoms = number ? self->moving : self->info.atoms;
    uint64_t len = number ? self->frame_bytes : self->first_bytes;
    uint64_t at = 0;
    const uint8_t *cell;
    bool is_whole = true;

    VVI_TRY(read_all(self, frame_at(self, number), frame, (size_t)len, err));
    if (self->info.has_cell)
        is_whole = is_record(self, frame, &at, CELL_BYTES, &cell);
    for (int d = 0; d < 3; d++)
        is_whole = is_record(self, frame, &at, 4 * atoms, &axes[d]) && is_whole;
    return is_whole ? VV_OK
                    : vvi_fail(err, VV_ECORRUPT,
                               "frame %" PRIu64 " at byte %" PRIu64
                               ": its records have not the lengths of %" PRIu64 " atoms",
                               number, frame_at(self, number), atoms);
}

/* Keep the first frame, from which the atoms that do not move are taken. */
static vv_status load_fixed(vvi_dcd *self, vv_error *err)
{
    const uint8_t *axes[3];
    size_t atoms = (size_t)self->info.atoms;
    uint8_t *frame;
    vv_status status;

    if (!self->info.fixed || !self->info.frames)
        return VV_OK;
    frame = vvi_alloc((size_t)self->first_bytes);
    self->fixed = vvi_alloc_array(3 * atoms, sizeof(*self->fixed));
    status = frame && self->fixed ? load_frame(self, 0, frame, axes, err)
                                  : vvi_fail_nomem(err, (size_t)self->first_bytes);
    for (int d = 0; d < 3 && !status; d++)
        for (size_t i = 0; i < atoms; i++)
            self->fixed[(size_t)d * atoms + i] = get_float(self, axes[d] + 4 * i);
    vvi_free(frame);
    return status;
}

/* Every step-th of count atoms of an axis from start on, each three floats behind the one before. */
static void take_axis(const vvi_dcd *self, const uint8_t *axis, uint64_t count,
                      uint64_t step, uint64_t stride, float *out)
{
    for (uint64_t i = 0; i < count; i++)
        out[i * stride] = get_float(self, axis + 4 * i * step);
}

/* Where atoms of a later frame are fixed: each is looked up among those that move, which rise. */
static void take_moving(const vvi_dcd *self, const uint8_t *axis, const float *fixed,
                        uint64_t start, uint64_t count, uint64_t step, uint64_t stride,
                        float *out)
{
    uint64_t at = 0;

    for (uint64_t i = 0; i < count; i++) {
        uint64_t atom = start + i * step;

        while (at < self->moving && self->moves[at] < atom)
            at++;
        out[i * stride] = at < self->moving && self->moves[at] == atom
                              ? get_float(self, axis + 4 * at)
                              : fixed[atom];
    }
}

/* Of few atoms only their part of each axis is read. */
static vv_status read_part(const vvi_dcd *self, uint64_t frame, const uint64_t *start,
                           const uint64_t *count, const uint64_t step[3], uint8_t *buffer,
                           float *out, vv_error *err)
{
    uint64_t record = 2 * (uint64_t)self->mark + 4 * self->info.atoms;
    uint64_t span = (count[1] - 1) * step[1] + 1;
    uint64_t at = frame_at(self, frame) +
                  (self->info.has_cell ? 2 * (uint64_t)self->mark + CELL_BYTES : 0);

    for (uint64_t d = 0; d < count[2]; d++) {
        uint64_t axis = at + (start[2] + d * step[2]) * record;

        VVI_TRY(read_all(self, axis, buffer, self->mark, err));
        if (get_mark(self, buffer) != 4 * self->info.atoms)
            return vvi_fail(err, VV_ECORRUPT,
                            "frame %" PRIu64 " at byte %" PRIu64
                            ": its records have not the lengths of %" PRIu64 " atoms",
                            frame, axis, self->info.atoms);
        VVI_TRY(read_all(self, axis + self->mark + 4 * start[1], buffer,
                         (size_t)(4 * span), err));
        take_axis(self, buffer, count[1], step[1], count[2], out + d);
    }
    return VV_OK;
}

static vv_status read_frame(const vvi_dcd *self, uint64_t frame, const uint64_t *start,
                            const uint64_t *count, const uint64_t step[3],
                            uint8_t *buffer, float *out, vv_error *err)
{
    const uint8_t *axes[3];

    VVI_TRY(load_frame(self, frame, buffer, axes, err));
    for (uint64_t d = 0; d < count[2]; d++) {
        uint64_t axis = start[2] + d * step[2];

        if (frame && self->fixed)
            take_moving(self, axes[axis], self->fixed + axis * self->info.atoms, start[1],
                        count[1], step[1], count[2], out + d);
        else
            take_axis(self, axes[axis] + 4 * start[1], count[1], step[1], count[2],
                      out + d);
    }
    return VV_OK;
}

static vv_status check_box(const vvi_dcd *self, const uint64_t *start,
                           const uint64_t *count, const uint64_t *step, vv_error *err)
{
    const uint64_t shape[3] = { self->info.frames, self->info.atoms, 3 };

    for (int d = 0; d < 3; d++) {
        uint64_t last;

        if (!step[d])
            return vvi_fail(err, VV_EINVAL, "a step of 0");
        if (!count[d])
            continue;
        if (__builtin_mul_overflow(count[d] - 1, step[d], &last) ||
            __builtin_add_overflow(last, start[d], &last) || last >= shape[d])
            return vvi_fail(err, VV_ERANGE,
                            "%" PRIu64 " from %" PRIu64
                            " on in dimension %d, of %" PRIu64,
                            count[d], start[d], d, shape[d]);
    }
    return VV_OK;
}

vv_status vvi_dcd_read(const vvi_dcd *self, const uint64_t start[3],
                       const uint64_t count[3], const uint64_t *given, float *out,
                       vv_error *err)
{
    static const uint64_t ones[3] = { 1, 1, 1 };
    const uint64_t *step = given ? given : ones;
    size_t bytes = (size_t)self->first_bytes;
    uint8_t *buffer;
    vv_status status;
    bool is_part;

    VVI_TRY(check_box(self, start, count, step, err));
    if (!count[0] || !count[1] || !count[2])
        return VV_OK;
    is_part = !self->fixed && ((count[1] - 1) * step[1] + 1) * count[2] <
                                  self->info.atoms; /* a third of what a frame has */
    buffer = vvi_alloc(bytes);
    if (!buffer)
        return vvi_fail_nomem(err, bytes);
    status = VV_OK;
    for (uint64_t i = 0; i < count[0] && !status; i++)
        status = (is_part ? read_part : read_frame)(self, start[0] + i * step[0], start,
                                                    count, step, buffer,
                                                    out + i * count[1] * count[2], err);
    vvi_free(buffer);
    return status;
}

/* ---- unit cell ---------------------------------------------------------------------------------- */

/* The cosine of an angle in degrees, exactly zero at a right one. */
static double cosine(double degrees)
{
    return degrees == 90 ? 0 : cos(degrees * (M_PI / 180));
}

/* The edges of a cell by its lengths and the cosines of alpha, beta and gamma; zeros where that is none. */
static void edges_of(const double length[3], double alpha, double beta, double gamma,
                     double out[9])
{
    double sine = sqrt(1 - gamma * gamma);
    double y = (alpha - beta * gamma) / sine;
    double z = 1 - beta * beta - y * y;

    memset(out, 0, 9 * sizeof(*out));
    if (!(length[0] > 0 && length[1] > 0 && length[2] > 0 && sine > 0 && z > 0))
        return;
    out[0] = length[0];
    out[3] = length[1] * gamma;
    out[4] = length[1] * sine;
    out[6] = length[2] * beta;
    out[7] = length[2] * y;
    out[8] = length[2] * sqrt(z);
}

static bool is_within(const double value[3], double least, double most)
{
    return value[0] >= least && value[0] <= most && value[1] >= least &&
           value[1] <= most && value[2] >= least && value[2] <= most;
}

/*
 * A, gamma, B, beta, alpha, C: angles as cosines (NAMD, CHARMM since 22) or in degrees (CHARMM before, and others). Else
 * the triangle of a symmetric matrix, whose rows are the edges (CHARMM since 36): xx, xy, yy, xz, yz, zz.
 */
static void take_cell(const double cell[6], double out[9])
{
    const double length[3] = { cell[0], cell[2], cell[5] };
    const double angle[3] = { cell[4], cell[3], cell[1] };

    if (is_within(angle, -1, 1)) {
        edges_of(length, angle[0], angle[1], angle[2], out);
    } else if (is_within(angle, 0, 180) && is_within(length, 0, INFINITY)) {
        edges_of(length, cosine(angle[0]), cosine(angle[1]), cosine(angle[2]), out);
    } else {
        const double matrix[9] = { cell[0], cell[1], cell[3], cell[1], cell[2],
                                   cell[4], cell[3], cell[4], cell[5] };

        memcpy(out, matrix, sizeof(matrix));
    }
}

vv_status vvi_dcd_read_box(const vvi_dcd *self, uint64_t frame, double out[9],
                           vv_error *err)
{
    uint8_t record[CELL_BYTES + 16];
    const uint8_t *data;
    double cell[6];
    uint64_t at = 0;

    memset(out, 0, 9 * sizeof(*out));
    if (frame >= self->info.frames)
        return vvi_fail(err, VV_ERANGE, "frame %" PRIu64 " of %" PRIu64, frame,
                        self->info.frames);
    if (!self->info.has_cell)
        return VV_OK;
    VVI_TRY(read_all(self, frame_at(self, frame), record,
                     CELL_BYTES + 2 * (size_t)self->mark, err));
    if (!is_record(self, record, &at, CELL_BYTES, &data))
        return vvi_fail(err, VV_ECORRUPT,
                        "frame %" PRIu64 " at byte %" PRIu64
                        " does not begin with a cell",
                        frame, frame_at(self, frame));
    for (size_t i = 0; i < 6; i++)
        cell[i] = get_double(self, data + 8 * i);
    take_cell(cell, out);
    return VV_OK;
}

/* ---- the file ----------------------------------------------------------------------------------- */

static vv_status load(vvi_dcd *self, const char *path, vv_error *err)
{
    uint8_t head[12];
    size_t got = 0;

    VVI_TRY(vvi_file_open(&self->file, path, VVI_FILE_READ | VVI_FILE_NO_WAIT, err));
    VVI_TRY(vvi_file_size(&self->file, &self->info.size, err));
    VVI_TRY(vvi_file_read_at(&self->file, 0, head, sizeof(head), &got, err));
    if (got < sizeof(head) || !recognize(self, head))
        return vvi_fail(err, VV_EUNSUPPORTED, "no DCD file");
    VVI_TRY(read_header(self, err));
    return load_fixed(self, err);
}

vv_status vvi_dcd_open(const char *path, vvi_dcd **out, vv_error *err)
{
    vvi_dcd *self = vvi_alloc_zero(sizeof(*self));
    vv_status status;

    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    self->file = VVI_FILE_INIT;
    status = load(self, path, err);
    if (status)
        vvi_dcd_close(self);
    else
        *out = self;
    return status;
}

void vvi_dcd_close(vvi_dcd *self)
{
    if (!self)
        return;
    vvi_file_close(&self->file);
    vvi_free(self->moves);
    vvi_free(self->fixed);
    vvi_free(self);
}

const vvi_dcd_info *vvi_dcd_get_info(const vvi_dcd *self)
{
    return &self->info;
}

vv_status vvi_dcd_refresh(vvi_dcd *self, vv_error *err)
{
    uint64_t size;

    VVI_TRY(vvi_file_size(&self->file, &size, err));
    if (size < self->info.size)
        return vvi_fail(err, VV_ECORRUPT, "the file was cut to %" PRIu64 " bytes", size);
    self->info.size = size;
    count_frames(self);
    return self->fixed ? VV_OK : load_fixed(self, err);
}
