# Warnings, sanitizers and definitions of every target of the tree.
add_compile_options(-Wall -Wextra -Wconversion -Wshadow -Wpedantic)
add_compile_options("$<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes;-Wmissing-prototypes;-Wvla;-fno-common>")
if(VARVITE_WERROR)
    add_compile_options(-Werror)
endif()
add_compile_definitions(_GNU_SOURCE _FILE_OFFSET_BITS=64)
if(VARVITE_SANITIZE)
    add_compile_options(-fsanitize=${VARVITE_SANITIZE} -fno-omit-frame-pointer
                        -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${VARVITE_SANITIZE})
    # gcc's view of the flow is coarser in instrumented code, and warns of what cannot be.
    if(CMAKE_C_COMPILER_ID STREQUAL GNU)
        add_compile_options(-Wno-format-truncation -Wno-maybe-uninitialized)
    endif()
endif()

find_program(VARVITE_CCACHE ccache)
if(VARVITE_CCACHE AND NOT CMAKE_C_COMPILER_LAUNCHER)
    set(CMAKE_C_COMPILER_LAUNCHER ${VARVITE_CCACHE})
endif()
