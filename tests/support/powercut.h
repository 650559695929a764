/*
 * A power cut at any moment: the file calls of a run are recorded, and from each prefix of the
 * record the states that a disk may be left in are made and looked at.
 *
 * What a disk may do: of the writes since a file's last sync, each 512-byte sector has taken any
 * number, in their order; a file's length is that of any moment since then, but covers what was
 * taken; of names made, changed and removed since the directory's last sync, the first few have
 * taken, and names just made may be lost out of order. After a sync that failed, what was written
 * before it never comes, whatever a later sync says. Four states are made of each prefix in any
 * case: everything has taken, nothing, one kind of file alone, everything but that.
 */
#ifndef VV_TESTS_POWERCUT_H
#define VV_TESTS_POWERCUT_H

#include "support/support.h"

/* Record from now on what happens to the files in dir, and forget what was recorded. */
void powercut_listen(const char *dir);
void powercut_stop(void);
void powercut_forget(void);
/* From here on a state must hold what the test means by this number. */
void powercut_acknowledge(size_t ack);

/* Nothing was acknowledged yet. */
#define POWERCUT_NOTHING SIZE_MAX

typedef struct powercut {
    const char *what;
    unsigned variants;                /* random states of each prefix */
    bool after_failure;               /* look only behind the first sync that failed */
    bool (*is_one)(const char *name); /* of the kind that takes alone */
    /* Optional: what is changed in a file besides. */
    void (*change)(const char *name, uint8_t *data, size_t len);
    /* dir holds the state; seed may be drawn from. */
    void (*check)(const char *dir, size_t ack, const char *when, uint64_t *seed);
} powercut;

/* Look at every state of what was recorded; returns how many. */
unsigned long powercut_check(const powercut *self);

#endif
