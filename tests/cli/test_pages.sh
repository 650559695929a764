# Manual pages and completions: made from the table, complete, and well formed.
. "$(dirname "$0")/lib.sh"

each_command() {
    "$VARVITE" help | sed -n '/^Commands$/,/^$/p' |
        sed -n 's/^  \(\([a-z]\+ \)\{1,2\}\) .*/\1/p' | sed 's/ *$//'
}

long_options() { # of a command
    # shellcheck disable=SC2086
    "$VARVITE" $1 --help | sed -n 's/^  \(-., \|    \)--\([a-z-]*\).*/\2/p'
}

test_every_command_has_a_page_with_every_option() {
    local command option page
    run man pages
    expect_code 0
    expect_no_out
    while read -r command; do
        page=pages/varvite-${command// /-}.1
        expect_true test -s "$page"
        for option in $(long_options "$command"); do
            expect_true grep -Eq "^\.It .*Fl \\\\-$option( |$)" "$page"
        done
        expect_true grep -q "^\.It Xr varvite-${command// /-} 1$" pages/varvite.1
    done < <(each_command)
    expect_equal "$(find pages -name '*.1' | wc -l)" "$(($(each_command | wc -l) + 1))"
}

test_pages_have_exit_status_environment_and_examples() {
    run man pages
    expect_true grep -q '^\.Sh EXIT STATUS' pages/varvite.1
    expect_true grep -q '^\.It Ev VARVITE_STORE' pages/varvite.1
    expect_true grep -q '^\.It Ev NO_COLOR' pages/varvite-import.1
    expect_true grep -q '^\.Sh EXAMPLES' pages/varvite-import.1
}

test_pages_pass_mandoc() {
    command -v mandoc >/dev/null || return 0
    run man pages
    mandoc -Tlint -Wwarning pages/*.1 >lint 2>&1
    expect_equal "$(cat lint)" ""
    expect_true test "$(mandoc -Tutf8 pages/varvite-slice.1 | wc -l)" -gt 40
}

test_pages_need_a_directory_that_can_be_made() {
    touch file
    run man file/pages
    expect_failure 4 "file/pages"
    run man no/such/place
    expect_failure 4 "no/such/place"
}

test_the_built_pages_are_there() {
    expect_true test -s "$PAGES/man1/varvite.1"
    expect_true test -s "$PAGES/varvite"
    expect_true test -s "$PAGES/_varvite"
    expect_true test -s "$PAGES/varvite.fish"
}

test_completions_are_well_formed() {
    local shell
    for shell in bash zsh fish; do
        run completion $shell
        expect_code 0
        expect_no_err
        command -v $shell >/dev/null || continue
        expect_true $shell -n "$out"
    done
}

# What bash offers for the words of a line, the last of which is being typed.
bash_offers() {
    bash -c '
        . "$1"
        shift
        COMP_WORDS=(varvite "$@") COMP_CWORD=$#
        COMPREPLY=()
        _varvite
        printf "%s\n" "${COMPREPLY[@]}"' - completion.bash "$@" 2>/dev/null
}

test_bash_offers_commands_options_and_choices() {
    local option command
    "$VARVITE" completion bash >completion.bash
    expect_equal "$(bash_offers imp)" import
    expect_equal "$(bash_offers block st)" stat
    expect_equal "$(bash_offers export --format net)" netcdf
    expect_equal "$(bash_offers --store /tmp completion z)" zsh
    expect_equal "$(bash_offers help sli)" slice
    touch climate.nc
    expect_equal "$(bash_offers import cli)" climate.nc
    while read -r command; do
        # shellcheck disable=SC2086
        bash_offers $command -- >offered
        for option in $(long_options "$command"); do
            expect_true grep -qx -- "--$option" offered
        done
    done < <(each_command)
}

test_fish_offers_commands_and_options() {
    command -v fish >/dev/null || return 0
    "$VARVITE" completion fish >varvite.fish
    HOME=$PWD fish -c 'source varvite.fish; complete -C "varvite imp"' >offered 2>/dev/null
    expect_true grep -q '^import' offered
    HOME=$PWD fish -c 'source varvite.fish; complete -C "varvite export --for"' >offered 2>/dev/null
    expect_true grep -q '^--format' offered
    expect_true grep -q '^--force' offered
    HOME=$PWD fish -c 'source varvite.fish; complete -C "varvite block st"' >offered 2>/dev/null
    expect_true grep -q '^stat' offered
}

run_tests
