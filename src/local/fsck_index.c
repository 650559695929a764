/* The second half of the check: the index file beside the index that the log gives. */
#include "local/fsck.h"

/* Is there, under the same tag, a slot of the other index that leads to the same block? */
static vv_status has_slot(vvi_fsck *f, const vvi_index *other, uint64_t tag,
                          vvi_place place, bool *out, vv_error *err)
{
    vvi_probe probe;
    vvi_found found;
    vv_cid cid;
    vv_status status;

    *out = true;
    for (vvi_place at = vvi_index_first(other, tag, &probe); at != VVI_PLACE_EMPTY;
         at = vvi_index_next(other, tag, &probe))
        if (at == place)
            return VV_OK;
    /* The same block at another place serves as well. */
    status = vvi_local_see(f->self, place, &found, err);
    if (status) {
        *out = false;
        return status == VV_ECORRUPT || status == VV_ENOTFOUND ? VV_OK : status;
    }
    vvi_record_cid(found.header, &cid);
    vvi_rwlock_unlock(&f->self->view);
    for (vvi_place at = vvi_index_first(other, tag, &probe); at != VVI_PLACE_EMPTY;
         at = vvi_index_next(other, tag, &probe)) {
        bool same;

        status = vvi_local_see(f->self, at, &found, err);
        if (status == VV_ECORRUPT || status == VV_ENOTFOUND)
            continue;
        if (status)
            return status;
        same = vvi_record_names(found.header, &cid);
        vvi_rwlock_unlock(&f->self->view);
        if (same)
            return VV_OK;
    }
    *out = false;
    return VV_OK;
}

static vv_status report_missing(vvi_fsck *f, vvi_place place, vv_error *err)
{
    char file[VVI_SEGMENT_NAME_MAX];
    char name[VV_CID_TEXT_MAX] = "";
    vv_fsck_finding finding = { .kind = VV_FSCK_INDEX_MISSING,
                                .file = file,
                                .offset = vvi_place_offset(place) };
    vvi_found found;

    vvi_segment_name(vvi_place_segment(place), file);
    VVI_TRY(vvi_local_see(f->self, place, &found, err));
    vvi_record_cid(found.header, &finding.cid);
    finding.has_cid = true;
    finding.length = found.record.total_len;
    vvi_rwlock_unlock(&f->self->view);
    vv_cid_format(&finding.cid, name);
    f->index_is_bad = true;
    return vvi_fsck_found(f, &finding, f->opts.repair, err,
                          "block %s, in %s at %" PRIu64 ", is not in the index", name,
                          file, finding.offset);
}

static vv_status report_wrong(vvi_fsck *f, uint64_t slot, vvi_place place, vv_error *err)
{
    char file[VVI_SEGMENT_NAME_MAX];
    vv_fsck_finding finding = { .kind = VV_FSCK_INDEX_WRONG,
                                .file = VVI_INDEX_FILE,
                                .offset = 4096 + slot * sizeof(vvi_slot),
                                .length = sizeof(vvi_slot) };

    vvi_segment_name(vvi_place_segment(place), file);
    f->index_is_bad = true;
    return vvi_fsck_found(f, &finding, f->opts.repair, err,
                          "slot %" PRIu64 " of the index leads to %s at %" PRIu64
                          ", where no such block is",
                          slot, file, vvi_place_offset(place));
}

/* Others go on writing during a check: what changed since it began is not theirs to answer for. */
static bool has_moved_on(const vvi_fsck *f)
{
    vvi_index_state state;

    return !f->alone &&
           (vvi_index_is_moving(f->index) || !vvi_index_get_state(f->index, &state) ||
            state.indexed != f->limit);
}

/* Each slot of one index must be in the other. */
static vv_status compare(vvi_fsck *f, const vvi_index *from, const vvi_index *to,
                         bool missing, vv_error *err)
{
    for (uint64_t i = 0; i <= from->mask; i++) {
        vvi_place place = vvi_slot_place(&from->slots[i]);
        bool there;

        if (place <= VVI_PLACE_DELETED || place >= f->limit)
            continue;
        VVI_TRY(has_slot(f, to, vvi_slot_tag(&from->slots[i]), place, &there, err));
        if (!there && has_moved_on(f))
            return VV_OK;
        if (!there)
            VVI_TRY(missing ? report_missing(f, place, err)
                            : report_wrong(f, i, place, err));
    }
    return VV_OK;
}

static vv_status compare_counts(vvi_fsck *f, vv_error *err)
{
    vv_fsck_finding finding = { .kind = VV_FSCK_INDEX_WRONG, .file = VVI_INDEX_FILE };
    vvi_index_state state;

    if (!vvi_index_get_state(f->index, &state) ||
        (state.count == f->state.count && state.bytes == f->state.bytes))
        return VV_OK;
    f->index_is_bad = true;
    return vvi_fsck_found(f, &finding, f->opts.repair, err,
                          "the index counts %" PRIu64 " blocks of %" PRIu64
                          " bytes, the pack files hold %" PRIu64 " of %" PRIu64,
                          state.count, state.bytes, f->state.count, f->state.bytes);
}

vv_status vvi_fsck_index(vvi_fsck *f, vv_error *err)
{
    VVI_TRY(compare(f, f->self->index, f->index, true, err));
    /* Where blocks are damaged, their slots are known to lead nowhere good. */
    if (f->blocks_are_bad)
        return VV_OK;
    VVI_TRY(compare(f, f->index, f->self->index, false, err));
    return f->alone ? compare_counts(f, err) : VV_OK;
}
