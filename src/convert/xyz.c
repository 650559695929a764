/*
 * Extended XYZ: for each frame the number of atoms, a line of properties, and a line an atom. Numbers have the fewest
 * digits that read back equal.
 */
#include "convert/roles.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "util/options.h"

#include <string.h>

/* Written to the sink when so much has come together. */
#define BUFFER_BYTES ((size_t)256 << 10)

static const char symbols[119][3] = {
    "X",  "H",  "He", "Li", "Be", "B",  "C",  "N",  "O",  "F",  "Ne", "Na", "Mg", "Al",
    "Si", "P",  "S",  "Cl", "Ar", "K",  "Ca", "Sc", "Ti", "V",  "Cr", "Mn", "Fe", "Co",
    "Ni", "Cu", "Zn", "Ga", "Ge", "As", "Se", "Br", "Kr", "Rb", "Sr", "Y",  "Zr", "Nb",
    "Mo", "Tc", "Ru", "Rh", "Pd", "Ag", "Cd", "In", "Sn", "Sb", "Te", "I",  "Xe", "Cs",
    "Ba", "La", "Ce", "Pr", "Nd", "Pm", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho", "Er", "Tm",
    "Yb", "Lu", "Hf", "Ta", "W",  "Re", "Os", "Ir", "Pt", "Au", "Hg", "Tl", "Pb", "Bi",
    "Po", "At", "Rn", "Fr", "Ra", "Ac", "Th", "Pa", "U",  "Np", "Pu", "Am", "Cm", "Bk",
    "Cf", "Es", "Fm", "Md", "No", "Lr", "Rf", "Db", "Sg", "Bh", "Hs", "Mt", "Ds", "Rg",
    "Cn", "Nh", "Fl", "Mc", "Lv", "Ts", "Og"
};

typedef struct xyz {
    vvi_roles roles;
    vv_sink out;
    vv_buf text;
    uint8_t *values[VVI_ROLES]; /* of the frame */
} xyz;

static vv_status put(xyz *self, const char *text, vv_error *err)
{
    return vvi_buf_append_text(&self->text, text, err);
}

/* Element i of a role's value. */
static vv_status put_element(xyz *self, vvi_role_kind kind, uint64_t i, vv_error *err)
{
    const vvi_role *role = &self->roles.of[kind];
    char text[64];

    vv_element_format(role->info.dtype, self->values[kind] + i * role->info.item_size,
                      text, sizeof(text));
    return put(self, text, err);
}

/* A box of one length or three stands on the diagonal. */
static vv_status put_lattice(xyz *self, vv_error *err)
{
    uint64_t elements = self->roles.of[VVI_ROLE_BOX].elements;

    if (!self->roles.of[VVI_ROLE_BOX].is_there)
        return VV_OK;
    VVI_TRY(put(self, "Lattice=\"", err));
    for (uint64_t i = 0; i < 9; i++) {
        if (i)
            VVI_TRY(put(self, " ", err));
        if (elements == 9)
            VVI_TRY(put_element(self, VVI_ROLE_BOX, i, err));
        else if (i % 4)
            VVI_TRY(put(self, "0.0", err));
        else
            VVI_TRY(put_element(self, VVI_ROLE_BOX, elements == 3 ? i / 4 : 0, err));
    }
    return put(self, "\" pbc=\"T T T\" ", err);
}

static vv_status put_comment(xyz *self, uint64_t frame, vv_error *err)
{
    int64_t step;

    VVI_TRY(put_lattice(self, err));
    VVI_TRY(put(self, "Properties=species:S:1:pos:R:3", err));
    if (self->values[VVI_ROLE_VELOCITIES])
        VVI_TRY(put(self, ":vel:R:3", err));
    if (self->values[VVI_ROLE_FORCES])
        VVI_TRY(put(self, ":forces:R:3", err));
    if (self->values[VVI_ROLE_ENERGY]) {
        VVI_TRY(put(self, " energy=", err));
        VVI_TRY(put_element(self, VVI_ROLE_ENERGY, 0, err));
    }
    VVI_TRY(vvi_roles_step(&self->roles, frame, &step, err));
    return vvi_buf_printf(&self->text, err, " %s=%" PRId64 "\n",
                          self->roles.has_steps ? "step" : "row", step);
}

/* Integers are atomic numbers; what is none stays a number. */
static vv_status put_species(xyz *self, uint64_t atom, vv_error *err)
{
    const vvi_role *role = &self->roles.of[VVI_ROLE_SPECIES];
    char text[64];
    size_t number = 0;

    if (!role->is_there)
        return put(self, "X", err);
    vv_element_format(role->info.dtype,
                      self->values[VVI_ROLE_SPECIES] + atom * role->info.item_size, text,
                      sizeof(text));
    for (const char *at = text; *at >= '0' && *at <= '9' && number < 1000; at++)
        number = 10 * number + (size_t)(*at - '0');
    if (strspn(text, "0123456789") == strlen(text) && number < 119)
        return put(self, symbols[number], err);
    return put(self, text, err);
}

static vv_status put_atom(xyz *self, uint64_t atom, vv_error *err)
{
    static const vvi_role_kind vectors[] = { VVI_ROLE_POSITIONS, VVI_ROLE_VELOCITIES,
                                             VVI_ROLE_FORCES };

    VVI_TRY(put_species(self, atom, err));
    for (size_t k = 0; k < 3; k++)
        for (uint64_t d = 0; self->values[vectors[k]] && d < 3; d++) {
            VVI_TRY(put(self, " ", err));
            VVI_TRY(put_element(self, vectors[k], 3 * atom + d, err));
        }
    return put(self, "\n", err);
}

static vv_status hand_over(xyz *self, size_t least, vv_error *err)
{
    if (self->text.len < least)
        return VV_OK;
    VVI_TRY(self->out.write(self->out.ctx, vvi_buf_bytes(&self->text), err));
    self->text.len = 0;
    return VV_OK;
}

static vv_status put_frame(xyz *self, uint64_t frame, vv_error *err)
{
    for (int kind = 0; kind < VVI_ROLES; kind++)
        if (self->values[kind] && (frame == 0 || !self->roles.of[kind].is_constant))
            VVI_TRY(vvi_role_read(&self->roles, (vvi_role_kind)kind, frame,
                                  self->values[kind], err));
    VVI_TRY(vvi_buf_printf(&self->text, err, "%" PRIu64 "\n", self->roles.atoms));
    VVI_TRY(put_comment(self, frame, err));
    for (uint64_t atom = 0; atom < self->roles.atoms; atom++) {
        VVI_TRY(put_atom(self, atom, err));
        VVI_TRY(hand_over(self, BUFFER_BYTES, err));
    }
    return VV_OK;
}

static vv_status put_frames(xyz *self, const vv_frames_options *options, vv_error *err)
{
    vv_progress at = { .what = "frames", .items_total = self->roles.frames };

    for (int kind = 0; kind < VVI_ROLES; kind++) {
        const vvi_role *role = &self->roles.of[kind];

        if (!role->is_there)
            continue;
        self->values[kind] = vvi_alloc(role->value_bytes);
        if (!self->values[kind])
            return vvi_fail_nomem(err, role->value_bytes);
    }
    for (uint64_t frame = 0; frame < self->roles.frames; frame++) {
        VVI_TRY(put_frame(self, frame, err));
        at.items_done = frame + 1;
        if (options->progress && options->progress(options->ctx, &at))
            return vvi_fail(err, VV_ECANCELED, "stopped");
    }
    return hand_over(self, 1, err);
}

vv_status vv_traj_write_xyz(vv_traj *traj, const vv_frames_options *given, vv_sink out,
                            uint64_t *frames, vv_error *err)
{
    vv_frames_options options;
    xyz self = { .out = out };
    vv_status status;

    VVI_TRY(vvi_read_options(&options, sizeof(options), given, err));
    status = vvi_roles_find(traj, &options, &self.roles, err);
    if (!status)
        status = put_frames(&self, &options, err);
    if (!status && frames)
        *frames = self.roles.frames;
    for (int kind = 0; kind < VVI_ROLES; kind++)
        vvi_free(self.values[kind]);
    vv_buf_clear(&self.text);
    return status;
}
