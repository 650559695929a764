# The libraries made of all rooms: varvite (shared), varvite_static, and vvi_all, a static
# library for tests, which may call inner functions.
get_property(rooms GLOBAL PROPERTY VV_ROOMS)
get_property(libs GLOBAL PROPERTY VV_LIBS)
get_property(extra_objects GLOBAL PROPERTY VV_EXTRA_OBJECTS)
list(REMOVE_DUPLICATES libs)
set(objects ${extra_objects})
foreach(room IN LISTS rooms)
    list(APPEND objects $<TARGET_OBJECTS:vvi_${room}>)
endforeach()

add_library(varvite_static STATIC ${objects})
set_target_properties(varvite_static PROPERTIES OUTPUT_NAME varvite)
target_include_directories(varvite_static PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(varvite_static PRIVATE ${libs} m)

add_library(varvite SHARED ${objects})
set_target_properties(varvite PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0)
target_include_directories(varvite PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(varvite PRIVATE ${libs} m)
target_link_options(varvite PRIVATE
    -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/varvite.map -Wl,--no-undefined)
if(VARVITE_SANITIZE)
    get_target_property(options varvite LINK_OPTIONS)
    list(REMOVE_ITEM options -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/varvite.map
         -Wl,--no-undefined)
    list(FILTER options EXCLUDE REGEX "no-undefined")
    set_target_properties(varvite PROPERTIES LINK_OPTIONS "${options}")
endif()
set_target_properties(varvite PROPERTIES LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/varvite.map)

# For tests, fuzz targets and benchmarks: the static library and the inner headers.
add_library(vvi_inner INTERFACE)
target_link_libraries(vvi_inner INTERFACE varvite_static)
get_property(inner_includes GLOBAL PROPERTY VV_INNER_INCLUDES)
target_include_directories(vvi_inner INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_include_directories(vvi_inner SYSTEM INTERFACE ${inner_includes})
