# cid and hash: names, taken apart and made.
. "$(dirname "$0")/lib.sh"

hello=bafkr4ihkr4ld3m4gqkjf4reryxsy2s5tkbxprqkow6fin2iiyvreuzzab4

test_hash_of_the_published_example() {
    # BLAKE3("hello\n") is not a published vector; the empty input is.
    run hash --digest /dev/null
    expect_code 0
    expect_out af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262
    run hash --hash sha2-256 --digest /dev/null
    expect_out e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
    expect_no_err
}

test_hash_reads_files_and_standard_input() {
    printf 'abc' >a
    run hash --hash sha2-256 --digest a
    expect_out ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
    run hash --hash sha2-256 --digest - <a
    expect_out ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
    run hash a a
    expect_code 0
    expect_out_has '^bafkr4i[a-z2-7]*  a$'
    expect_equal "$(wc -l <"$out")" 2
}

test_hash_of_a_long_input_in_pieces_equals_sha256sum() {
    head -c 5000003 /dev/zero | tr '\0' 'x' >long
    run hash --hash sha2-256 --digest long
    expect_out "$(sha256sum long | cut -d' ' -f1)"
    run hash --hash sha1 --digest long
    expect_out "$(sha1sum long | cut -d' ' -f1)"
    run hash --hash sha2-512 --digest long
    expect_out "$(sha512sum long | cut -d' ' -f1)"
}

test_hash_and_cid_agree() {
    local base text
    printf 'abc' >a
    run hash --codec dag-cbor --hash sha2-256 a
    text=$(cat "$out")
    run cid "$text"
    expect_code 0
    expect_out_has '^codec +dag-cbor \(0x71\)$'
    expect_out_has '^hash +sha2-256 \(0x12\), 32 bytes$'
    expect_out_has '^digest +ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad$'
    for base in base58btc base16 base36 base64 base64url base2 base8; do
        run hash --codec dag-cbor --hash sha2-256 --base "$base" a
        cp "$out" made
        run cid --base "$base" "$text"
        expect_same_file "$out" made
        run cid --base base32 "$(cat made)"
        expect_out "$text"
    done
}

test_version_0_is_known() {
    run cid QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n
    expect_code 0
    expect_out_has '^version +0$'
    expect_out_has '^codec +dag-pb'
    expect_out_has '^digest +e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855$'
    run cid --base base32 QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n
    expect_failure 2 "."
}

test_json_of_cid_is_json() {
    run cid --json $hello QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n
    expect_code 0
    expect_json "len(d) == 2 and d[0]['cid'] == '$hello' and d[0]['codec'] == 'raw' and
        d[0]['bases']['base32'] == '$hello' and d[1]['version'] == 0"
    run cid --json --base base16 $hello
    expect_json "d[0].startswith('f01551e20')"
    run hash --json /dev/null
    expect_json "d[0]['file'] == '/dev/null' and len(d[0]['digest']) == 64"
}

test_names_of_files_are_escaped_in_json() {
    local name
    name=$(printf 'a"b\\c\td\001\377e')
    printf x >"$name"
    run hash --json -- "$name"
    expect_json 'd[0]["file"] == "a\"b\\c\td\x01\ufffde"'
    run hash -- "$name" "$name"
    expect_out_has '  a"b\\c\\x09d\\x01'
}

test_bad_text_is_named() {
    run cid notacid
    expect_failure 2 "'notacid' is no CID"
    run cid ''
    expect_failure 2 "is no CID"
    run cid ${hello}a
    expect_code 2
    run cid "$(printf 'b%0500d' 0 | tr 0 a)"
    expect_code 2
    run cid zb38SMkuhxoyDCgRqFrDo3oseWnmQByCDaaRzXrTvZtonYFD0
    expect_code 2
    expect_no_out
}

test_escapes_in_arguments_do_not_reach_the_terminal() {
    run cid "$(printf '\033[31mred')"
    expect_code 2
    expect_err_lacks "$(printf '\033')"
    expect_err_has '\\x1b\[31mred'
}

test_missing_file_is_not_found() {
    run hash nothing
    expect_failure 1 "nothing: No such file"
    run hash .
    expect_failure 2 "is a directory"
}

run_tests
