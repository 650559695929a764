# What `cmake --install` puts where: libraries, headers, pkg-config file, CMake package, licence.
# The command, its manual pages and completions: cli/CMakeLists.txt.
include(CMakePackageConfigHelpers)

set(VARVITE_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/varvite)

install(TARGETS varvite varvite_static EXPORT varvite-targets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/varvite DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# ---- CMake package: varvite::varvite and varvite::static --------------------------------------
set_target_properties(varvite_static PROPERTIES EXPORT_NAME static)
set_property(TARGET varvite_static APPEND PROPERTY INTERFACE_COMPILE_DEFINITIONS
             $<INSTALL_INTERFACE:VV_STATIC>)
install(EXPORT varvite-targets NAMESPACE varvite:: FILE VarviteTargets.cmake
        DESTINATION ${VARVITE_CMAKE_DIR})

# ---- what a static link needs, from the LIBS of the rooms -------------------------------------
# A library with a pkg-config file goes to Requires.private. Only the files of netCDF and libcurl are passed
# by: they ask for the development packages of everything below them, which a link does not need.
get_property(libs GLOBAL PROPERTY VV_LIBS)
list(REMOVE_DUPLICATES libs)
set(VARVITE_REQUIRES_PRIVATE "")
set(VARVITE_LIBS_PRIVATE "-lm")
set(VARVITE_PC_PACKAGES "") # lines for VarviteConfig.cmake
foreach(lib IN LISTS libs)
    if(lib MATCHES "^PkgConfig::(.*)$")
        set(prefix ${CMAKE_MATCH_1})
        set(module ${${prefix}_MODULE_NAME})
        string(APPEND VARVITE_PC_PACKAGES
               "pkg_check_modules(${prefix} QUIET IMPORTED_TARGET ${module})\n")
        string(REGEX REPLACE "[<>=].*" "" module "${module}")
        if(module STREQUAL "netcdf")
            string(APPEND VARVITE_LIBS_PRIVATE " -lnetcdf")
        elseif(module STREQUAL "libcurl")
            string(APPEND VARVITE_LIBS_PRIVATE " -lcurl")
        else()
            list(APPEND VARVITE_REQUIRES_PRIVATE ${module})
        endif()
    elseif(lib STREQUAL "Threads::Threads")
        string(APPEND VARVITE_LIBS_PRIVATE " -pthread")
    elseif(lib MATCHES "^(m|dl|rt|bz2)$")
        string(APPEND VARVITE_LIBS_PRIVATE " -l${lib}")
    else()
        message(FATAL_ERROR "cmake/VarviteInstall.cmake does not know how a program that links "
                "libvarvite.a finds '${lib}'")
    endif()
endforeach()
list(REMOVE_DUPLICATES VARVITE_REQUIRES_PRIVATE)
list(JOIN VARVITE_REQUIRES_PRIVATE ", " VARVITE_REQUIRES_PRIVATE)

configure_package_config_file(cmake/VarviteConfig.cmake.in VarviteConfig.cmake
    INSTALL_DESTINATION ${VARVITE_CMAKE_DIR}
    NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(VarviteConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/VarviteConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/VarviteConfigVersion.cmake
        DESTINATION ${VARVITE_CMAKE_DIR})

# ---- pkg-config: the prefix is found from where the file lies, so a tree can be moved --------
file(RELATIVE_PATH VARVITE_PC_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" VARVITE_PC_TO_PREFIX "${VARVITE_PC_TO_PREFIX}")
configure_file(cmake/varvite.pc.in varvite.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/varvite.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
