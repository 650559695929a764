# The official C implementation of BLAKE3, as an object library `vv_blake3_official` or as a
# system library; VV_BLAKE3_LIBS and VV_BLAKE3_INCLUDES tell the room hash how to use it.
#
# Searched in this order: -DBLAKE3_ROOT, pkg-config libblake3, Debian's librust-blake3-dev, a
# crate that cargo fetched. Sources are compiled where they lie and never copied.
set(BLAKE3_ROOT "" CACHE PATH "Folder with the C sources of BLAKE3 (blake3.c, blake3.h, …)")

set(VV_BLAKE3_DIR "")
set(VV_BLAKE3_LIBS "")
set(VV_BLAKE3_INCLUDES "")
set(VV_BLAKE3_INNER OFF) # blake3_compress_in_place can be linked to

if(BLAKE3_ROOT)
    foreach(dir IN ITEMS ${BLAKE3_ROOT} ${BLAKE3_ROOT}/c)
        if(EXISTS ${dir}/blake3_dispatch.c AND NOT VV_BLAKE3_DIR)
            set(VV_BLAKE3_DIR ${dir})
        endif()
    endforeach()
    if(NOT VV_BLAKE3_DIR)
        message(FATAL_ERROR "BLAKE3_ROOT=${BLAKE3_ROOT} holds no blake3_dispatch.c")
    endif()
else()
    pkg_check_modules(BLAKE3 QUIET IMPORTED_TARGET GLOBAL libblake3)
    if(NOT BLAKE3_FOUND)
        file(GLOB found /usr/share/cargo/registry/blake3-*/c/blake3_dispatch.c
             $ENV{HOME}/.cargo/registry/src/*/blake3-1*/c/blake3_dispatch.c)
        if(NOT found)
            message(FATAL_ERROR "BLAKE3 was not found: install the package librust-blake3-dev "
                    "(Debian) or libblake3, or set -DBLAKE3_ROOT to the folder of its C sources")
        endif()
        list(GET found 0 first)
        get_filename_component(VV_BLAKE3_DIR ${first} DIRECTORY)
    endif()
endif()

if(VV_BLAKE3_DIR)
    message(STATUS "BLAKE3: sources in ${VV_BLAKE3_DIR}")
    set(sources ${VV_BLAKE3_DIR}/blake3.c ${VV_BLAKE3_DIR}/blake3_dispatch.c
        ${VV_BLAKE3_DIR}/blake3_portable.c)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
        enable_language(ASM)
        foreach(isa IN ITEMS sse2 sse41 avx2 avx512)
            list(APPEND sources ${VV_BLAKE3_DIR}/blake3_${isa}_x86-64_unix.S)
        endforeach()
    elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
        list(APPEND sources ${VV_BLAKE3_DIR}/blake3_neon.c)
    else()
        set_source_files_properties(${VV_BLAKE3_DIR}/blake3_dispatch.c ${VV_BLAKE3_DIR}/blake3.c
            PROPERTIES COMPILE_DEFINITIONS
            "BLAKE3_NO_SSE2;BLAKE3_NO_SSE41;BLAKE3_NO_AVX2;BLAKE3_NO_AVX512")
    endif()
    add_library(vv_blake3_official OBJECT ${sources})
    # Theirs to review and to warn about: none of our flags, and optimised in every build.
    set_target_properties(vv_blake3_official PROPERTIES COMPILE_OPTIONS "-w;-O3"
                          C_VISIBILITY_PRESET hidden)
    set_property(GLOBAL APPEND PROPERTY VV_EXTRA_OBJECTS $<TARGET_OBJECTS:vv_blake3_official>)
    set(VV_BLAKE3_INCLUDES ${VV_BLAKE3_DIR})
    set_property(GLOBAL APPEND PROPERTY VV_INNER_INCLUDES ${VV_BLAKE3_DIR})
    set(VV_BLAKE3_INNER ON)
else()
    message(STATUS "BLAKE3: system library ${BLAKE3_VERSION}")
    set(VV_BLAKE3_LIBS PkgConfig::BLAKE3)
    set_property(GLOBAL APPEND PROPERTY VV_INNER_INCLUDES ${BLAKE3_INCLUDE_DIRS})
endif()
