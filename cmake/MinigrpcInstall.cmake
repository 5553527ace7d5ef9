# The library as others use it, in this build (minigrpc::minigrpc), and installed: headers, one static library,
# programs, the unit for systemd, the CMake package and the pkg-config file.
include(CMakePackageConfigHelpers)

# One archive of all folders: users link one thing, in no order that they could get wrong.
get_property(folders GLOBAL PROPERTY MINIGRPC_LIBRARIES)
list(TRANSFORM folders REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>" OUTPUT_VARIABLE objects)
add_library(minigrpc_archive STATIC ${objects})
add_library(minigrpc::minigrpc ALIAS minigrpc_archive)
set_target_properties(minigrpc_archive PROPERTIES OUTPUT_NAME minigrpc EXPORT_NAME minigrpc LINKER_LANGUAGE CXX)
target_compile_features(minigrpc_archive PUBLIC cxx_std_20)
target_include_directories(minigrpc_archive PUBLIC
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
# Boost is not among them: only <minigrpc/asio.h> needs it, and who includes that has it.
target_link_libraries(minigrpc_archive
  PUBLIC protobuf::libprotobuf Threads::Threads
  PRIVATE PkgConfig::NGHTTP2 PkgConfig::LMDB PkgConfig::ZSTD ZLIB::ZLIB OpenSSL::SSL OpenSSL::Crypto)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/minigrpc)
install(TARGETS minigrpc_archive EXPORT minigrpcTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS protoc-gen-minigrpc EXPORT minigrpcTargets RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS minigrpcd minigrpc_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
# The unit names the program's place, which is known when it is installed.
install(CODE "
  file(READ \"${PROJECT_SOURCE_DIR}/packaging/minigrpcd.service\" unit)
  string(REPLACE /usr/bin/ \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/\" unit \"\${unit}\")
  set(unit_file \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/lib/systemd/system/minigrpcd.service\")
  message(STATUS \"Installing: \${unit_file}\")
  file(WRITE \"\${unit_file}\" \"\${unit}\")")
install(DIRECTORY include/minigrpc DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT minigrpcTargets NAMESPACE minigrpc:: DESTINATION ${package_dir})

configure_package_config_file(cmake/minigrpcConfig.cmake.in minigrpcConfig.cmake INSTALL_DESTINATION ${package_dir}
                              NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor version may break what compiled with the one before.
write_basic_package_version_file(minigrpcConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/minigrpcConfig.cmake ${PROJECT_BINARY_DIR}/minigrpcConfigVersion.cmake
              cmake/MinigrpcGenerate.cmake
        DESTINATION ${package_dir})

# The prefix is where the file lies: an installed tree may be moved.
cmake_path(RELATIVE_PATH CMAKE_INSTALL_FULL_LIBDIR BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX} OUTPUT_VARIABLE pc_libdir)
string(REGEX REPLACE "[^/]+" ".." pc_up "${pc_libdir}/pkgconfig")
configure_file(cmake/minigrpc.pc.in minigrpc.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/minigrpc.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
