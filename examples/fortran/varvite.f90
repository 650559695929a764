! The calls of libvarvite that the example needs, as Fortran sees them.
!
! Texts end in c_null_char. Zarr counts the dimension that varies slowest first and Fortran the one
! that varies fastest, so shapes, starts and counts are handed over in reverse.
module varvite
    use, intrinsic :: iso_c_binding
    implicit none

    integer(c_int), parameter :: vv_ok = 0
    integer(c_int), parameter :: vv_float32 = 11, vv_float64 = 12
    integer, parameter :: vv_cid_text_max = 2 + 8 * (4 * 10 + 128)

    type, bind(c) :: vv_error
        integer(c_int) :: status = 0
        character(kind=c_char) :: message(512) = c_null_char
    end type

    type, bind(c) :: vv_cid
        integer(c_int32_t) :: codec = 0, hash = 0
        integer(c_int8_t) :: version = 0, digest_len = 0
        integer(c_int8_t) :: digest(128) = 0
    end type

    ! Options structs may be longer in the library: struct_size says how far ours go, and the rest
    ! counts as not given. Here, the members that are needed when an array is made.
    type, bind(c) :: vv_array_meta
        integer(c_size_t) :: struct_size = 0
        integer(c_int) :: dtype = 0
        integer(c_int32_t) :: ndim = 0
        type(c_ptr) :: shape = c_null_ptr
        type(c_ptr) :: chunk_shape = c_null_ptr
        type(c_ptr) :: fill_value = c_null_ptr
        type(c_ptr) :: codecs = c_null_ptr
        character(kind=c_char) :: separator = c_null_char
        logical(c_bool) :: v2_keys = .false.
        type(c_ptr) :: dimension_names = c_null_ptr
        type(c_ptr) :: attributes = c_null_ptr
    end type

    type, bind(c) :: vv_local_options
        integer(c_size_t) :: struct_size = 0
        logical(c_bool) :: create = .false.
        logical(c_bool) :: read_only = .false.
        logical(c_bool) :: trusted = .false.
        integer(c_int) :: durability = 0
    end type

    ! What the library fills must have room for all its members: here, and for some that may come.
    type, bind(c) :: vv_traj_leaf
        type(c_ptr) :: name = c_null_ptr
        integer(c_int) :: dtype = 0
        integer(c_size_t) :: item_size = 0
        integer(c_int32_t) :: ndim = 0
        type(c_ptr) :: shape = c_null_ptr
        type(c_ptr) :: chunk = c_null_ptr
        type(c_ptr) :: filters = c_null_ptr
        type(c_ptr) :: path = c_null_ptr
        type(c_ptr) :: later(8) = c_null_ptr
    end type

    interface
        integer(c_int) function vv_local_open(directory, options, store, err) bind(c)
            import
            character(kind=c_char), intent(in) :: directory(*)
            type(vv_local_options), intent(in) :: options
            type(c_ptr), intent(out) :: store
            type(vv_error), intent(inout) :: err
        end function

        subroutine vv_blockstore_free(store) bind(c)
            import
            type(c_ptr), value :: store
        end subroutine

        ! root: c_null_ptr for a new, empty store, or c_loc of a vv_cid
        integer(c_int) function vv_hamt_store_open(blocks, root, options, store, err) bind(c)
            import
            type(c_ptr), value :: blocks, root, options
            type(c_ptr), intent(out) :: store
            type(vv_error), intent(inout) :: err
        end function

        integer(c_int) function vv_store_commit(store, root, err) bind(c)
            import
            type(c_ptr), value :: store
            type(vv_cid), intent(out) :: root
            type(vv_error), intent(inout) :: err
        end function

        subroutine vv_store_free(store) bind(c)
            import
            type(c_ptr), value :: store
        end subroutine

        subroutine vv_cid_format(cid, text) bind(c)
            import
            type(vv_cid), intent(in) :: cid
            character(kind=c_char), intent(out) :: text(*)
        end subroutine

        integer(c_int) function vv_array_create(store, path, meta, overwrite, array, err) bind(c)
            import
            type(c_ptr), value :: store
            character(kind=c_char), intent(in) :: path(*)
            type(vv_array_meta), intent(in) :: meta
            logical(c_bool), value :: overwrite
            type(c_ptr), intent(out) :: array
            type(vv_error), intent(inout) :: err
        end function

        integer(c_int) function vv_array_open(store, path, array, err) bind(c)
            import
            type(c_ptr), value :: store
            character(kind=c_char), intent(in) :: path(*)
            type(c_ptr), intent(out) :: array
            type(vv_error), intent(inout) :: err
        end function

        subroutine vv_array_free(array) bind(c)
            import
            type(c_ptr), value :: array
        end subroutine

        ! step: c_null_ptr for every element
        integer(c_int) function vv_array_read(array, start, count, step, out, out_bytes, err) bind(c)
            import
            type(c_ptr), value :: array, step, out
            integer(c_int64_t), intent(in) :: start(*), count(*)
            integer(c_size_t), value :: out_bytes
            type(vv_error), intent(inout) :: err
        end function

        integer(c_int) function vv_array_write(array, start, count, data, data_bytes, err) bind(c)
            import
            type(c_ptr), value :: array, data
            integer(c_int64_t), intent(in) :: start(*), count(*)
            integer(c_size_t), value :: data_bytes
            type(vv_error), intent(inout) :: err
        end function

        integer(c_int) function vv_schema_from_json(text, schema, err) bind(c)
            import
            character(kind=c_char), intent(in) :: text(*)
            type(c_ptr), intent(out) :: schema
            type(vv_error), intent(inout) :: err
        end function

        subroutine vv_schema_free(schema) bind(c)
            import
            type(c_ptr), value :: schema
        end subroutine

        ! options: c_null_ptr for the defaults
        integer(c_int) function vv_recorder_create_hdf5(path, schema, options, recorder, err) bind(c)
            import
            character(kind=c_char), intent(in) :: path(*)
            type(c_ptr), value :: schema, options
            type(c_ptr), intent(out) :: recorder
            type(vv_error), intent(inout) :: err
        end function

        ! leaves: c_loc of each leaf's value, which is copied
        integer(c_int) function vv_recorder_log_group(recorder, step, group, leaves, count, err) bind(c)
            import
            type(c_ptr), value :: recorder
            integer(c_int64_t), value :: step
            integer(c_size_t), value :: group, count
            type(c_ptr), intent(in) :: leaves(*)
            type(vv_error), intent(inout) :: err
        end function

        ! durability: 0 to survive a power cut, 1 to survive a kill
        integer(c_int) function vv_recorder_flush(recorder, durability, timeout_ms, err) bind(c)
            import
            type(c_ptr), value :: recorder
            integer(c_int), value :: durability
            integer(c_int32_t), value :: timeout_ms
            type(vv_error), intent(inout) :: err
        end function

        integer(c_int) function vv_recorder_close(recorder, err) bind(c)
            import
            type(c_ptr), value :: recorder
            type(vv_error), intent(inout) :: err
        end function

        integer(c_int) function vv_traj_open(path, traj, err) bind(c)
            import
            character(kind=c_char), intent(in) :: path(*)
            type(c_ptr), intent(out) :: traj
            type(vv_error), intent(inout) :: err
        end function

        subroutine vv_traj_close(traj) bind(c)
            import
            type(c_ptr), value :: traj
        end subroutine

        ! Groups and leaves are numbered from 0.
        logical(c_bool) function vv_traj_group_by_name(traj, name, group) bind(c)
            import
            type(c_ptr), value :: traj
            character(kind=c_char), intent(in) :: name(*)
            integer(c_size_t), intent(out) :: group
        end function

        logical(c_bool) function vv_traj_leaf_by_name(traj, group, name, leaf) bind(c)
            import
            type(c_ptr), value :: traj
            integer(c_size_t), value :: group
            character(kind=c_char), intent(in) :: name(*)
            integer(c_size_t), intent(out) :: leaf
        end function

        integer(c_int) function vv_traj_leaf_at(traj, group, leaf, about, err) bind(c)
            import
            type(c_ptr), value :: traj
            integer(c_size_t), value :: group, leaf
            type(vv_traj_leaf), intent(out) :: about
            type(vv_error), intent(inout) :: err
        end function

        integer(c_int) function vv_traj_read_rows(traj, group, leaf, rows, n, out, out_bytes, err) bind(c)
            import
            type(c_ptr), value :: traj, out
            integer(c_size_t), value :: group, leaf, n, out_bytes
            integer(c_int64_t), intent(in) :: rows(*)
            type(vv_error), intent(inout) :: err
        end function
    end interface

contains

    ! Stop with the library's message when a call failed.
    subroutine vv_check(status, err)
        integer(c_int), intent(in) :: status
        type(vv_error), intent(in) :: err
        integer :: i

        if (status == vv_ok) return
        write (*, '(*(a))') (err%message(i), i = 1, vv_length(err%message))
        error stop 1
    end subroutine

    ! Characters of a terminated text.
    pure integer function vv_length(text)
        character(kind=c_char), intent(in) :: text(:)

        do vv_length = 0, size(text) - 1
            if (text(vv_length + 1) == c_null_char) return
        end do
    end function
end module
