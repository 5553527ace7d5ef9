// Stands in for the header of another minigrpc: generated code must refuse it.
#define MINIGRPC_GENERATED_VERSION 0
