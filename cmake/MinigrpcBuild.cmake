# What every target of the project shares: the language, the warnings, the sanitizers, the places
# where things land, and three functions that keep the folders' own files short.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)

find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(NGHTTP2 REQUIRED IMPORTED_TARGET libnghttp2)
pkg_check_modules(LMDB REQUIRED IMPORTED_TARGET lmdb)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
if(BUILD_TESTING)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()

# find_test_program(VARIABLE NAME...): a program that the tests cannot do without, by the first name that there is.
function(find_test_program variable)
  find_program(${variable} NAMES ${ARGN})
  if(NOT ${variable})
    list(JOIN ARGN " or " names)
    message(FATAL_ERROR "The tests need ${names}: ./dev test installs it; -DBUILD_TESTING=OFF builds without tests")
  endif()
endfunction()

add_library(minigrpc_flags INTERFACE)
target_compile_options(minigrpc_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
                                                $<$<BOOL:${MINIGRPC_WERROR}>:-Werror>)
# g++ 12 warns wrongly inside coroutines and optional values once it inlines.
target_compile_options(minigrpc_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
# … and about memcpy inside its own std::string operator+ at -O2 and above (GCC bug 105651).
target_compile_options(minigrpc_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
# In a unity build no file is the main one, whose unnamed types g++ allows in a coroutine's frame.
target_compile_options(minigrpc_flags INTERFACE
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<BOOL:${CMAKE_UNITY_BUILD}>>:-Wno-subobject-linkage>)
if(MINIGRPC_SANITIZE)
  add_compile_options(-fsanitize=${MINIGRPC_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  # Asio's handlers contain fences, which the thread sanitizer does not model; its queues have locks besides.
  if(MINIGRPC_SANITIZE STREQUAL "thread")
    add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
  endif()
  add_link_options(-fsanitize=${MINIGRPC_SANITIZE})
endif()
if(MINIGRPC_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "MINIGRPC_FUZZ needs clang: configure with -DCMAKE_CXX_COMPILER=clang++, or use the preset fuzz")
  endif()
  # What it puts in front of functions, clang 14 cannot put in front of a coroutine's parts.
  add_compile_options(-fno-sanitize=function)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# minigrpc_library(NAME SOURCES a.cc ... [LINKS target ...] [PRIVATE target ...])
# One folder of the map: a static library `minigrpc_NAME`, included from the root of src/.
function(minigrpc_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS;PRIVATE" ${ARGN})
  add_library(minigrpc_${name} STATIC ${arg_SOURCES})
  add_library(minigrpc::${name} ALIAS minigrpc_${name})
  target_include_directories(minigrpc_${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_compile_features(minigrpc_${name} PUBLIC cxx_std_20)
  target_link_libraries(minigrpc_${name} PUBLIC ${arg_LINKS} PRIVATE ${arg_PRIVATE} $<BUILD_INTERFACE:minigrpc_flags>)
  set_property(GLOBAL APPEND PROPERTY MINIGRPC_LIBRARIES minigrpc_${name})
endfunction()

# minigrpc_test(NAME SOURCES x_test.cc ... LINKS target ... [TIMEOUT seconds] [LABELS l ...])
# A gtest program; every TEST in it is a test of its own in ctest.
function(minigrpc_test name)
  if(NOT BUILD_TESTING)
    return()
  endif()
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;LINKS;LABELS" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LINKS} minigrpc_flags GTest::gmock GTest::gtest_main)
  # Tests spend their time waiting; the compiler need not spend its own on them.
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  # Each file of a test has its own helpers, by the same names.
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/test UNITY_BUILD OFF)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}")
endfunction()
