# Arguments: what is wrong is named, with a pointer to the help, and exit code 2.
. "$(dirname "$0")/lib.sh"

test_no_command_is_a_usage_error() {
    run
    expect_failure 2 "a command is missing"
    expect_err_has "see 'varvite --help'"
    expect_no_out
}

test_unknown_command_suggests_the_nearest() {
    run imprt file.nc
    expect_failure 2 "unknown command 'imprt'; did you mean 'import'"
    run block gte x
    expect_failure 2 "did you mean 'block get'"
    run frobnicate
    expect_failure 2 "unknown command 'frobnicate'$"
}

test_family_needs_its_second_word() {
    run block
    expect_failure 2 "block needs a second word"
    run block --help
    expect_code 0
    expect_out_has "block stat"
    expect_out_lacks "car export"
}

test_unknown_option_suggests_the_nearest() {
    run cid --bse base32 x
    expect_failure 2 "unknown option --bse; did you mean --base"
    expect_err_has "see 'varvite cid --help'"
    run hash -Z -
    expect_failure 2 "unknown option -Z"
    run --frobnicate
    expect_failure 2 "unknown option --frobnicate"
}

test_option_arguments_are_checked() {
    run cid --base
    expect_failure 2 "option --base needs an argument"
    run cid --base base99 x
    expect_failure 2 "--base base99: must be one of base32\|"
    run hash --digest=yes -
    expect_failure 2 "option --digest takes no argument"
    run hash --hash sha1 --hash blake3 -
    expect_failure 2 "--hash is given twice"
    run --color sometimes version
    expect_failure 2 "--color sometimes: must be one of auto"
}

test_operands_are_counted() {
    run cid
    expect_failure 2 "CID is missing"
    run version now
    expect_failure 2 "unexpected argument 'now'"
    run completion tcsh
    expect_failure 2 "must be one of bash\|zsh\|fish"
    run get bafy
    expect_failure 2 "KEY is missing"
}

test_version_says_the_same_in_every_form() {
    run version
    expect_code 0
    expect_out_has '^varvite [0-9]+\.[0-9]+\.[0-9]+$'
    cp "$out" first
    run --version
    expect_same_file "$out" first
    run -V
    expect_same_file "$out" first
    run version --json
    expect_json 'd["version"] == d["library"]'
}

test_every_command_has_help_that_goes_to_standard_output() {
    local command
    run help
    expect_code 0
    expect_no_err
    # The list of commands ends before the options.
    sed -n '/^Commands$/,/^$/p' "$out" |
        sed -n 's/^  \(\([a-z]\+ \)\{1,2\}\) .*/\1/p' | sed 's/ *$//' >commands
    expect_true test "$(wc -l <commands)" -ge 25
    while read -r command; do
        # shellcheck disable=SC2086
        run $command --help
        expect_code 0
        expect_no_err
        expect_out_has "^usage: varvite $command \[options\]"
        expect_out_has "^  -s, --store"
        cp "$out" first
        # shellcheck disable=SC2086
        run help $command
        expect_same_file "$out" first
    done <commands
    run help nonsense
    expect_failure 2 "no command 'nonsense'"
}

test_lines_of_help_fit_a_terminal() {
    local command
    while read -r command; do
        # shellcheck disable=SC2086
        run $command --help
        expect_true test "$(wc -L <"$out")" -le 80
    done < <(printf '%s\n' import export slice verify "car export" cid hash)
}

test_colours_are_asked_for_or_left_out() {
    local escape
    escape=$(printf '\033')
    run help
    expect_out_lacks "$escape"
    run --color always help
    expect_out_has "$escape"
    run --color=always nonsense
    expect_err_has "$escape"
    run --color=never nonsense
    expect_err_lacks "$escape"
}

test_colours_show_on_a_terminal_and_no_color_is_honoured() {
    command -v script >/dev/null || return 0
    local escape
    escape=$(printf '\033')
    script -qec "'$VARVITE' help" /dev/null </dev/null >"$out"
    expect_out_has "$escape"
    NO_COLOR=1 script -qec "'$VARVITE' help" /dev/null </dev/null >"$out"
    expect_out_lacks "$escape"
    TERM=dumb script -qec "'$VARVITE' help" /dev/null </dev/null >"$out"
    expect_out_lacks "$escape"
}

test_full_disk_on_standard_output_is_an_error() {
    [ -e /dev/full ] || return 0
    "$VARVITE" help >/dev/full 2>"$err"
    code=$? shown="varvite help >/dev/full"
    expect_failure 4 "standard output: No space left on device"
    "$VARVITE" version >/dev/full 2>"$err"
    code=$? shown="varvite version >/dev/full"
    expect_failure 4 "standard output"
}

test_reader_that_leaves_is_no_error_to_talk_about() {
    { "$VARVITE" completion bash 2>"$err"; echo $? >status; } | head -c 1 >/dev/null
    code=$(cat status)
    # The pipe may have taken all of it before the reader left.
    expect_true test "$code" -eq 141 -o "$code" -eq 0
    expect_no_err
}

test_closed_standard_output_is_an_error() {
    "$VARVITE" help >&- 2>"$err"
    code=$? shown="varvite help >&-"
    expect_failure 4 "standard output"
}

test_double_dash_ends_the_options() {
    run hash -- --help
    expect_failure 1 "--help: No such file"
}

test_any_arguments_end_with_a_documented_code() {
    command -v python3 >/dev/null || return 0
    python3 - "$VARVITE" <<'PYTHON' >"$out" 2>"$err"
import random, subprocess, sys

command = sys.argv[1]
random.seed(5)
words = """init import export ls tree info get put rm cat slice verify fsck cid hash block dag car help
    version completion man compare compact stat --json --store x -s --base base32 --hash sha1 - -- -l -r
    --chunk t=1 --sample 0.5 bafyr4ieav2zuk4pbltsa77j5lvn5bdvtoui22gya53d73c75ykb4pvvyim
    QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n x[0, x[::2] [ ] --offset 18446744073709551616 -1
    --format zarr --max-seconds 1e9 -o /dev/null bash zsh --bucket-size 0 --dag --version 2 -qqq -hV
    --color=always""".split() + ["", "\x1b[31m", b"\xff", "a" * 5000, "--" + "b" * 3000]
subprocess.run([command, "init"], capture_output=True, check=True)
for _ in range(120):
    arguments = [random.choice(words) for _ in range(random.randint(0, 6))]
    done = subprocess.run([command] + arguments, capture_output=True, stdin=subprocess.DEVNULL)
    assert done.returncode in (0, 1, 2, 3, 4), (arguments, done.returncode, done.stderr)
    assert done.returncode == 0 or done.stderr.startswith((b"varvite", b"\x1b")) or \
        done.stdout, (arguments, done.stderr)
print("fine")
PYTHON
    code=$? shown="120 random command lines"
    expect_code 0
    expect_out fine
}

run_tests
