# minigrpc_generate(TARGET proto... [ROOT dir] [IMPORT_DIRS dir...])
#
# Generates x.pb.{h,cc} (protobuf) and x.minigrpc.{h,cc} (minigrpc) for each x.proto, at build time, and adds them to
# TARGET: a library, or an executable, that was added in the calling directory. TARGET and who links it can then
# #include "x.minigrpc.h", and is linked with minigrpc and protobuf.
#
#   add_executable(provider provider.cc)
#   minigrpc_generate(provider prod.proto api/v1/stock.proto)   # -> "prod.minigrpc.h", "api/v1/stock.minigrpc.h"
#
# ROOT         the directory that file names, `import` lines and #includes count from; without it, the calling one, and
#              for a file outside of that, the file's own
# IMPORT_DIRS  where else to look for imported files; whoever generates those must be linked to TARGET
#
# The same file works in minigrpc's own build and from an installed package.

# The place, target or file, of the program: in this build, or installed.
function(_minigrpc_program name out)
  foreach(target IN ITEMS ${name} minigrpc::${name} protobuf::${name})
    if(TARGET ${target})
      set(${out} ${target} PARENT_SCOPE)
      return()
    endif()
  endforeach()
  message(FATAL_ERROR "minigrpc_generate: there is no ${name}: find_package(minigrpc) and find_package(Protobuf) first")
endfunction()

# Refuses what CMake would only report later, and elsewhere.
function(_minigrpc_check_target target)
  if(NOT TARGET ${target})
    message(FATAL_ERROR "minigrpc_generate: there is no target \"${target}\" yet: "
                        "the first argument is a target; add_executable() or add_library() comes before this call")
  endif()
  get_target_property(alias ${target} ALIASED_TARGET)
  get_target_property(imported ${target} IMPORTED)
  get_target_property(type ${target} TYPE)
  if(alias OR imported OR type STREQUAL "INTERFACE_LIBRARY" OR type STREQUAL "UTILITY")
    message(FATAL_ERROR "minigrpc_generate: target \"${target}\" compiles nothing (it is imported, an alias or an "
                        "interface): name a library or an executable")
  endif()
  get_target_property(directory ${target} SOURCE_DIR)
  if(NOT directory STREQUAL CMAKE_CURRENT_SOURCE_DIR)
    message(FATAL_ERROR "minigrpc_generate: target \"${target}\" was added in ${directory}: call minigrpc_generate there, "
                        "since CMake only runs generators for targets of the same directory")
  endif()
endfunction()

# The absolute path of `proto`, given as seen from `root`.
function(_minigrpc_check_proto proto root out)
  cmake_path(ABSOLUTE_PATH proto BASE_DIRECTORY ${root} NORMALIZE OUTPUT_VARIABLE path)
  if(NOT EXISTS ${path})
    message(FATAL_ERROR "minigrpc_generate: there is no file ${path}")
  endif()
  if(NOT path MATCHES "\\.proto$")
    message(FATAL_ERROR "minigrpc_generate: ${path} is not a .proto file")
  endif()
  set(${out} ${path} PARENT_SCOPE)
endfunction()

# The directory that the name of the file `path` counts from.
function(_minigrpc_root_of path root explicit out)
  cmake_path(IS_PREFIX root ${path} NORMALIZE inside)
  if(NOT inside AND explicit)
    message(FATAL_ERROR "minigrpc_generate: ${path} lies outside of ROOT ${root}")
  elseif(NOT inside)
    cmake_path(GET path PARENT_PATH root)
  endif()
  set(${out} ${root} PARENT_SCOPE)
endfunction()

function(minigrpc_generate target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "ROOT" "IMPORT_DIRS")
  if(arg_KEYWORDS_MISSING_VALUES)
    message(FATAL_ERROR "minigrpc_generate: ${arg_KEYWORDS_MISSING_VALUES} is without a value")
  endif()
  if(NOT arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "minigrpc_generate(${target}): no .proto file given")
  endif()
  _minigrpc_check_target(${target})
  _minigrpc_program(protoc protoc)
  _minigrpc_program(protoc-gen-minigrpc plugin)

  set(default_root ${CMAKE_CURRENT_SOURCE_DIR})
  if(arg_ROOT)
    cmake_path(ABSOLUTE_PATH arg_ROOT BASE_DIRECTORY ${default_root} NORMALIZE OUTPUT_VARIABLE default_root)
    string(REGEX REPLACE "(.)/$" "\\1" default_root "${default_root}")
  endif()
  set(import_flags)
  foreach(directory IN LISTS arg_IMPORT_DIRS Protobuf_INCLUDE_DIRS)  # the latter for google/protobuf/*.proto
    cmake_path(ABSOLUTE_PATH directory BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} NORMALIZE)
    if(NOT IS_DIRECTORY ${directory})
      message(FATAL_ERROR "minigrpc_generate: there is no import directory ${directory}")
    endif()
    list(APPEND import_flags -I ${directory})
  endforeach()

  # A directory for each target: two targets of one directory may generate from the same file.
  set(output_dir ${CMAKE_CURRENT_BINARY_DIR}/${target}.minigrpc)
  foreach(proto IN LISTS arg_UNPARSED_ARGUMENTS)
    _minigrpc_check_proto(${proto} ${default_root} path)
    _minigrpc_root_of(${path} ${default_root} "${arg_ROOT}" root)
    cmake_path(RELATIVE_PATH path BASE_DIRECTORY ${root} OUTPUT_VARIABLE name)
    string(REGEX REPLACE "\\.proto$" "" base ${output_dir}/${name})
    # In the order of protoc's dependency file: Ninja reruns a command whose file begins with another output.
    set(sources ${base}.minigrpc.cc ${base}.minigrpc.h ${base}.pb.cc ${base}.pb.h)
    cmake_path(GET base PARENT_PATH directory)
    file(MAKE_DIRECTORY ${directory})
    add_custom_command(
      OUTPUT ${sources}
      # The file's own root first: protoc takes the first directory in which a name exists.
      COMMAND $<TARGET_FILE:${protoc}> -I ${root} ${import_flags} --plugin=protoc-gen-minigrpc=$<TARGET_FILE:${plugin}>
              --cpp_out=${output_dir} --minigrpc_out=${output_dir} --dependency_out=${base}.d ${path}
      DEPENDS ${path} ${plugin}
      DEPFILE ${base}.d
      COMMENT "Generating ${name} for ${target}"
      VERBATIM)
    target_sources(${target} PRIVATE ${sources})
    # What protobuf prints is not held to the project's warnings; what minigrpc prints is.
    set_source_files_properties(${base}.pb.cc PROPERTIES COMPILE_OPTIONS -w)
  endforeach()

  target_include_directories(${target} SYSTEM PUBLIC $<BUILD_INTERFACE:${output_dir}>)
  set(libraries protobuf::libprotobuf)
  # In minigrpc's own build a folder may not link them all; outside there is only the one.
  foreach(library IN ITEMS minigrpc::minigrpc minigrpc::rpc)
    if(TARGET ${library})
      list(APPEND libraries ${library})
      break()
    endif()
  endforeach()
  # Not target_link_libraries(): that fails wherever the target was linked in its other form, with or without PUBLIC.
  set_property(TARGET ${target} APPEND PROPERTY LINK_LIBRARIES ${libraries})
  set_property(TARGET ${target} APPEND PROPERTY INTERFACE_LINK_LIBRARIES ${libraries})
endfunction()
