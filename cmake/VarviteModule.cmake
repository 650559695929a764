# vv_module(NAME SOURCES … USES … OPTIONAL … LIBS …): a room, an object library vvi_NAME.
#
# USES names the rooms it includes headers of; LIBS what it links to. Configuring stops when a
# room of USES is not declared yet, or when a file includes a header of a room not in USES.
# OPTIONAL: rooms that it uses if this build has them, which VV_HAVE_<ROOM> tells the sources.

define_property(GLOBAL PROPERTY VV_ROOMS BRIEF_DOCS "rooms" FULL_DOCS "rooms declared so far")
define_property(GLOBAL PROPERTY VV_LIBS BRIEF_DOCS "libs" FULL_DOCS "libraries the rooms need")

# The room that a public header belongs to.
function(vv_room_of_public header out)
    if(header STREQUAL "base")
        set(${out} util PARENT_SCOPE)
    elseif(header STREQUAL "cid")
        set(${out} multiformats PARENT_SCOPE)
    else()
        string(REGEX REPLACE "_backend$" "" room ${header})
        set(${out} ${room} PARENT_SCOPE)
    endif()
endfunction()

# The room whose header an #include line names; empty for another project's header.
function(vv_room_of_include line out)
    set(room "")
    if(line MATCHES "<varvite/([a-z0-9_]+)\\.h>")
        vv_room_of_public(${CMAKE_MATCH_1} room)
    elseif(line MATCHES "\"([a-z0-9_]+)/")
        set(room ${CMAKE_MATCH_1})
    endif()
    set(${out} "${room}" PARENT_SCOPE)
endfunction()

# The files of a room: what lies in its directory, and its public headers.
function(vv_files_of_room name out)
    file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.[ch])
    file(GLOB headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/varvite/*.h)
    foreach(header IN LISTS headers)
        get_filename_component(stem ${header} NAME_WE)
        vv_room_of_public(${stem} room)
        if(room STREQUAL name)
            list(APPEND files ${header})
        endif()
    endforeach()
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${files})
    set(${out} ${files} PARENT_SCOPE)
endfunction()

# USES and the #include lines say the same: what is included is declared (or configuring stops),
# and what is declared is included (or it warns; stops with VARVITE_WERROR).
function(vv_check_includes name uses)
    set(unused ${uses})
    vv_files_of_room(${name} files)
    foreach(file IN LISTS files)
        file(STRINGS ${file} lines REGEX "^#include (\"[a-z0-9_]+/|<varvite/)")
        foreach(line IN LISTS lines)
            vv_room_of_include("${line}" room)
            if(NOT room STREQUAL name AND NOT room IN_LIST uses)
                message(FATAL_ERROR "${file}: ${line}\n"
                        "room '${name}' does not declare that it uses '${room}' "
                        "(src/${name}/CMakeLists.txt, USES)")
            endif()
            list(REMOVE_ITEM unused ${room})
        endforeach()
    endforeach()
    if(unused)
        set(severity WARNING)
        if(VARVITE_WERROR)
            set(severity FATAL_ERROR)
        endif()
        message(${severity} "src/${name}/CMakeLists.txt: USES names ${unused}, and no file of room "
                "'${name}' includes a header of it")
    endif()
endfunction()

function(vv_module name)
    cmake_parse_arguments(M "" "" "SOURCES;USES;OPTIONAL;LIBS;INCLUDES" ${ARGN})
    get_property(rooms GLOBAL PROPERTY VV_ROOMS)
    set(have "")
    foreach(used IN LISTS M_OPTIONAL)
        if(used IN_LIST rooms)
            string(TOUPPER VV_HAVE_${used} macro)
            list(APPEND have ${macro})
        endif()
    endforeach()
    foreach(used IN LISTS M_USES)
        if(NOT used IN_LIST rooms)
            message(FATAL_ERROR "room '${name}' uses '${used}', which stands below it or is "
                    "not there; see the table of rooms in docs/architecture.md")
        endif()
    endforeach()
    set(uses ${M_USES} ${M_OPTIONAL})
    vv_check_includes(${name} "${uses}")
    add_library(vvi_${name} OBJECT ${M_SOURCES})
    target_include_directories(vvi_${name} PRIVATE ${PROJECT_SOURCE_DIR}/include
                               ${PROJECT_SOURCE_DIR}/src ${M_INCLUDES})
    target_compile_definitions(vvi_${name} PRIVATE ${have})
    target_link_libraries(vvi_${name} PRIVATE ${M_LIBS})
    set_property(GLOBAL APPEND PROPERTY VV_ROOMS ${name})
    set_property(GLOBAL APPEND PROPERTY VV_LIBS ${M_LIBS})
endfunction()
