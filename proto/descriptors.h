/* descriptors.h — the services of the daemon as a serialised google.protobuf.FileDescriptorSet, imports included: what
 * the reflection service answers from. Made from the .proto files at build time. Read-only. */
#ifndef WB_PROTO_DESCRIPTORS_H
#define WB_PROTO_DESCRIPTORS_H

#include <stddef.h>

extern const unsigned char wb_proto_descriptors[];
extern const size_t wb_proto_descriptors_len;

#endif
