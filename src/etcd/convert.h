// Between the plain structs of etcd_types.h and the generated messages of etcd's API. Pure.
//
// to_proto() consumes its argument, from_proto() takes a message apart: big values are moved.
#pragma once

#include <minigrpc/etcd_types.h>

#include "etcd/api/cluster.pb.h"
#include "etcd/api/kv.pb.h"
#include "etcd/api/lease.pb.h"
#include "etcd/api/maintenance.pb.h"
#include "etcd/api/watch.pb.h"

namespace minigrpc::etcd {

etcdserverpb::RangeRequest to_proto(RangeRequest request);
etcdserverpb::PutRequest to_proto(PutRequest request);
etcdserverpb::DeleteRangeRequest to_proto(DeleteRangeRequest request);
etcdserverpb::TxnRequest to_proto(TxnRequest request);
etcdserverpb::CompactionRequest to_proto(CompactionRequest request);
etcdserverpb::LeaseGrantRequest to_proto(LeaseGrantRequest request);
etcdserverpb::LeaseTimeToLiveRequest to_proto(LeaseTimeToLiveRequest request);

ResponseHeader from_proto(const etcdserverpb::ResponseHeader& header);
KeyValue from_proto(mvccpb::KeyValue&& kv);
WatchEvent from_proto(mvccpb::Event&& event);
RangeResponse from_proto(etcdserverpb::RangeResponse&& response);
PutResponse from_proto(etcdserverpb::PutResponse&& response);
DeleteRangeResponse from_proto(etcdserverpb::DeleteRangeResponse&& response);
TxnResponse from_proto(etcdserverpb::TxnResponse&& response);
CompactionResponse from_proto(etcdserverpb::CompactionResponse&& response);
LeaseGrantResponse from_proto(etcdserverpb::LeaseGrantResponse&& response);
LeaseRevokeResponse from_proto(etcdserverpb::LeaseRevokeResponse&& response);
LeaseKeepAliveResponse from_proto(etcdserverpb::LeaseKeepAliveResponse&& response);
LeaseTimeToLiveResponse from_proto(etcdserverpb::LeaseTimeToLiveResponse&& response);
LeaseLeasesResponse from_proto(etcdserverpb::LeaseLeasesResponse&& response);
MemberListResponse from_proto(etcdserverpb::MemberListResponse&& response);
MemberStatusResponse from_proto(etcdserverpb::StatusResponse&& response);

}  // namespace minigrpc::etcd
