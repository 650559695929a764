! A rod that cools, step by step, stored as an array of time and place: heat STORE-DIRECTORY
!
! Prints the root of the store, and the temperature in the middle at the end as it was read back.
program heat
    use varvite
    implicit none

    integer, parameter :: steps = 200, places = 101
    real(c_double) :: rod(places), next(places), back(3)
    real(c_double), target :: record(places), middle(3)
    integer(c_int64_t), target :: shape(2) = [integer(c_int64_t) :: steps, places]
    integer(c_int64_t), target :: chunk(2) = [integer(c_int64_t) :: 50, places]
    character(kind=c_char, len=:), allocatable, target :: codecs, attributes, time, place
    type(c_ptr), target :: names(2)
    character(kind=c_char) :: text(vv_cid_text_max)
    character(len=4096) :: directory
    type(c_ptr) :: blocks, store, array
    type(vv_local_options) :: options
    type(vv_array_meta) :: meta
    type(vv_error) :: err
    type(vv_cid), target :: root
    integer :: step, i

    if (command_argument_count() /= 1) error stop 2
    call get_command_argument(1, directory)
    options%struct_size = c_sizeof(options)
    options%create = .true.
    call vv_check(vv_local_open(trim(directory) // c_null_char, options, blocks, err), err)
    call vv_check(vv_hamt_store_open(blocks, c_null_ptr, c_null_ptr, store, err), err)

    codecs = 'zstd:3' // c_null_char
    attributes = '{"units": "degC"}' // c_null_char
    time = 'time' // c_null_char
    place = 'place' // c_null_char
    names = [c_loc(time), c_loc(place)]
    meta%struct_size = c_sizeof(meta)
    meta%dtype = vv_float64
    meta%ndim = 2
    meta%shape = c_loc(shape)
    meta%chunk_shape = c_loc(chunk)
    meta%codecs = c_loc(codecs)
    meta%dimension_names = c_loc(names)
    meta%attributes = c_loc(attributes)
    call vv_check(vv_array_create(store, 'temperature' // c_null_char, meta, &
                                  .false._c_bool, array, err), err)

    rod = 0
    rod(40:62) = 100
    do step = 1, steps
        record = rod
        call vv_check(vv_array_write(array, [integer(c_int64_t) :: step - 1, 0], &
                                     [integer(c_int64_t) :: 1, places], c_loc(record), &
                                     c_sizeof(record), err), err)
        next = rod
        do i = 2, places - 1
            next(i) = rod(i) + 0.4d0 * (rod(i - 1) - 2 * rod(i) + rod(i + 1))
        end do
        rod = next
    end do
    call vv_array_free(array)
    call vv_check(vv_store_commit(store, root, err), err)
    call vv_store_free(store)

    ! Another reader would start from the root alone.
    call vv_check(vv_hamt_store_open(blocks, c_loc(root), c_null_ptr, store, err), err)
    call vv_check(vv_array_open(store, 'temperature' // c_null_char, array, err), err)
    call vv_check(vv_array_read(array, [integer(c_int64_t) :: steps - 1, 49], &
                                [integer(c_int64_t) :: 1, 3], c_null_ptr, c_loc(middle), &
                                c_sizeof(middle), err), err)
    back = middle
    if (any(abs(back - record(50:52)) > 0)) error stop 'what came back is not what was stored'
    call vv_array_free(array)
    call vv_store_free(store)
    call vv_blockstore_free(blocks)

    call vv_cid_format(root, text)
    print '(*(a))', (text(i), i = 1, vv_length(text))
    print '(3f9.4)', back
end program
