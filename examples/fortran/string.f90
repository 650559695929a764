! A string that swings, recorded while it does: string FILE.h5
!
! Prints the rows that were recorded, and the middle of the string and its energy in the last of them
! as they were read back.
program string
    use varvite
    implicit none

    integer, parameter :: steps = 1000, every = 10, places = 101
    real(c_double), parameter :: speed = 0.4d0
    real(c_double), target :: now(places), energy(1), back(places)
    real(c_double) :: before(places), next(places)
    character(kind=c_char, len=:), allocatable :: described
    character(len=4096) :: file
    type(c_ptr) :: schema, recorder, traj, row(2)
    type(vv_traj_leaf) :: about
    type(vv_error) :: err
    integer(c_int64_t), pointer :: shape(:)
    integer(c_size_t) :: group, leaf
    integer :: step, i

    if (command_argument_count() /= 1) error stop 2
    call get_command_argument(1, file)

    ! Leaves are numbered as they stand here.
    described = '{"groups": {"step": {"every": 10, "leaves": ' // &
                '{"displacement": "float64[101]", "energy": "float64"}}}}' // c_null_char
    call vv_check(vv_schema_from_json(described, schema, err), err)
    call vv_check(vv_recorder_create_hdf5(trim(file) // c_null_char, schema, c_null_ptr, &
                                          recorder, err), err)
    call vv_schema_free(schema)
    row = [c_loc(now), c_loc(energy)]

    now = [(exp(-((i - 30) / 6d0)**2), i = 1, places)]
    before = now
    do step = 0, steps - 1
        if (mod(step, every) == 0) then
            energy = sum((now - before)**2) + speed * sum((now(2:) - now(:places - 1))**2)
            call vv_check(vv_recorder_log_group(recorder, int(step, c_int64_t), 0_c_size_t, row, &
                                                2_c_size_t, err), err)
        end if
        next = 0 ! both ends are held
        do i = 2, places - 1
            next(i) = 2 * now(i) - before(i) + speed * (now(i - 1) - 2 * now(i) + now(i + 1))
        end do
        before = now
        now = next
    end do
    call vv_check(vv_recorder_close(recorder, err), err)

    call vv_check(vv_traj_open(trim(file) // c_null_char, traj, err), err)
    if (.not. vv_traj_group_by_name(traj, "group['step']" // c_null_char, group)) error stop 'no group'
    if (.not. vv_traj_leaf_by_name(traj, group, "['displacement']" // c_null_char, leaf)) &
        error stop 'no leaf'
    call vv_check(vv_traj_leaf_at(traj, group, leaf, about, err), err)
    call c_f_pointer(about%shape, shape, [about%ndim])
    call vv_check(vv_traj_read_rows(traj, group, leaf, [shape(1) - 1], 1_c_size_t, c_loc(back), &
                                    c_sizeof(back), err), err)
    print '(i0, f9.4)', shape(1), back(51)
    if (.not. vv_traj_leaf_by_name(traj, group, "['energy']" // c_null_char, leaf)) error stop 'no leaf'
    call vv_check(vv_traj_read_rows(traj, group, leaf, [shape(1) - 1], 1_c_size_t, c_loc(back), &
                                    c_sizeof(energy), err), err)
    print '(f9.4)', back(1)
    if (abs(back(1) - energy(1)) > 0) error stop 'what came back is not what was recorded'
    call vv_traj_close(traj)
end program
