#include "services/channelz_messages.h"

#include <algorithm>

namespace minigrpc::services {

namespace pb = grpc::channelz::v1;
using rpc::channelz::AddressView;
using rpc::channelz::GroupView;
using rpc::channelz::Reference;
using rpc::channelz::Severity;
using rpc::channelz::SocketView;
using rpc::channelz::TraceEvent;
using rpc::channelz::TraceView;

namespace {

std::int64_t signed_count(std::uint64_t count) { return static_cast<std::int64_t>(count); }

// How many bytes of UTF-8 the character at the front of `text` takes; 0: it is none (RFC 3629, 4).
std::size_t character_size(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  const std::size_t size = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  const unsigned second_min = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned second_max = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < second_min || byte(1) > second_max) return 0;
  for (std::size_t i = 2; i < size; ++i)
    if (byte(i) < 0x80 || byte(i) > 0xBF) return 0;
  return size;
}

// A file's name or what a peer has said may be any bytes; a string of protobuf is UTF-8, or the message is
// not parsed.
std::string legible(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  while (!text.empty()) {
    const std::size_t size = character_size(text);
    clean.append(size == 0 ? "?" : text.substr(0, size));
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return clean;
}

void fill(google::protobuf::Duration& message, std::chrono::nanoseconds duration) {
  message.set_seconds(duration.count() / 1'000'000'000);
  message.set_nanos(static_cast<std::int32_t>(duration.count() % 1'000'000'000));
}

void fill(google::protobuf::Timestamp& message, TimePoint moment, const WallClock& clock) {
  const auto since_epoch = std::chrono::nanoseconds(clock.at(moment).time_since_epoch()).count();
  message.set_seconds(since_epoch / 1'000'000'000);
  message.set_nanos(static_cast<std::int32_t>(since_epoch % 1'000'000'000));
}

void fill(pb::Address& message, const AddressView& address) {
  switch (address.family) {
    case AddressView::Family::kTcp:
      message.mutable_tcpip_address()->set_ip_address(address.name);
      message.mutable_tcpip_address()->set_port(address.port);
      break;
    case AddressView::Family::kUnix:
      message.mutable_uds_address()->set_filename(legible(address.name));
      break;
    case AddressView::Family::kInProcess:
      message.mutable_other_address()->set_name(legible(address.name));
      break;
  }
}

void fill(pb::SubchannelRef& message, const Reference& subchannel) {
  message.set_subchannel_id(subchannel.id);
  message.set_name(legible(subchannel.name));
}

pb::ChannelTraceEvent::Severity severity_of(Severity severity) {
  switch (severity) {
    case Severity::kInfo:
      return pb::ChannelTraceEvent::CT_INFO;
    case Severity::kWarning:
      return pb::ChannelTraceEvent::CT_WARNING;
    case Severity::kError:
      return pb::ChannelTraceEvent::CT_ERROR;
  }
  return pb::ChannelTraceEvent::CT_UNKNOWN;
}

void fill(pb::ChannelTrace& message, const TraceView& trace, const WallClock& clock) {
  message.set_num_events_logged(signed_count(trace.events_logged));
  fill(*message.mutable_creation_timestamp(), trace.created_at, clock);
  for (const TraceEvent& event : trace.events) {
    pb::ChannelTraceEvent& added = *message.add_events();
    added.set_description(legible(event.text));
    added.set_severity(severity_of(event.severity));
    fill(*added.mutable_timestamp(), event.at, clock);
    if (event.subchannel_id != 0)
      fill(*added.mutable_subchannel_ref(), {event.subchannel_id, event.subchannel_name});
  }
}

pb::ChannelConnectivityState::State state_of(ChannelState state) {
  switch (state) {
    case ChannelState::kIdle:
      return pb::ChannelConnectivityState::IDLE;
    case ChannelState::kConnecting:
      return pb::ChannelConnectivityState::CONNECTING;
    case ChannelState::kReady:
      return pb::ChannelConnectivityState::READY;
    case ChannelState::kTransientFailure:
      return pb::ChannelConnectivityState::TRANSIENT_FAILURE;
    case ChannelState::kShutdown:
      return pb::ChannelConnectivityState::SHUTDOWN;
  }
  return pb::ChannelConnectivityState::UNKNOWN;
}

// ChannelData and ServerData have these in common.
template <class Data>
void fill_data(Data& data, const GroupView& group, const WallClock& clock) {
  fill(*data.mutable_trace(), group.trace, clock);
  data.set_calls_started(signed_count(group.calls.started));
  data.set_calls_succeeded(signed_count(group.calls.succeeded));
  data.set_calls_failed(signed_count(group.calls.failed));
  if (group.calls.last_started != TimePoint())
    fill(*data.mutable_last_call_started_timestamp(), group.calls.last_started, clock);
}

void fill(pb::ChannelData& data, const GroupView& group, const WallClock& clock) {
  data.mutable_state()->set_state(state_of(group.state));
  data.set_target(legible(group.reference.name));
  fill_data(data, group, clock);
}

void add_option(pb::SocketData& data, const char* name, const std::string& value,
                const google::protobuf::Message& more) {
  pb::SocketOption& option = *data.add_option();
  option.set_name(name);
  option.set_value(value);
  option.mutable_additional()->PackFrom(more);
}

std::string seconds_text(std::chrono::nanoseconds duration) {
  return std::to_string(std::chrono::duration<double>(duration).count()) + "s";
}

void add_timeout(pb::SocketData& data, const char* name, std::chrono::nanoseconds timeout) {
  pb::SocketOptionTimeout message;
  fill(*message.mutable_duration(), timeout);
  add_option(data, name, seconds_text(timeout), message);
}

pb::SocketOptionTcpInfo message_of(const tcp_info& info) {
  pb::SocketOptionTcpInfo message;
  message.set_tcpi_state(info.tcpi_state);
  message.set_tcpi_ca_state(info.tcpi_ca_state);
  message.set_tcpi_retransmits(info.tcpi_retransmits);
  message.set_tcpi_probes(info.tcpi_probes);
  message.set_tcpi_backoff(info.tcpi_backoff);
  message.set_tcpi_options(info.tcpi_options);
  message.set_tcpi_snd_wscale(info.tcpi_snd_wscale);
  message.set_tcpi_rcv_wscale(info.tcpi_rcv_wscale);
  message.set_tcpi_rto(info.tcpi_rto);
  message.set_tcpi_ato(info.tcpi_ato);
  message.set_tcpi_snd_mss(info.tcpi_snd_mss);
  message.set_tcpi_rcv_mss(info.tcpi_rcv_mss);
  message.set_tcpi_unacked(info.tcpi_unacked);
  message.set_tcpi_sacked(info.tcpi_sacked);
  message.set_tcpi_lost(info.tcpi_lost);
  message.set_tcpi_retrans(info.tcpi_retrans);
  message.set_tcpi_fackets(info.tcpi_fackets);
  message.set_tcpi_last_data_sent(info.tcpi_last_data_sent);
  message.set_tcpi_last_ack_sent(info.tcpi_last_ack_sent);
  message.set_tcpi_last_data_recv(info.tcpi_last_data_recv);
  message.set_tcpi_last_ack_recv(info.tcpi_last_ack_recv);
  message.set_tcpi_pmtu(info.tcpi_pmtu);
  message.set_tcpi_rcv_ssthresh(info.tcpi_rcv_ssthresh);
  message.set_tcpi_rtt(info.tcpi_rtt);
  message.set_tcpi_rttvar(info.tcpi_rttvar);
  message.set_tcpi_snd_ssthresh(info.tcpi_snd_ssthresh);
  message.set_tcpi_snd_cwnd(info.tcpi_snd_cwnd);
  message.set_tcpi_advmss(info.tcpi_advmss);
  message.set_tcpi_reordering(info.tcpi_reordering);
  return message;
}

void add_options(pb::SocketData& data, const net::SocketOptions& options) {
  add_timeout(data, "SO_RCVTIMEO", options.receive_timeout);
  add_timeout(data, "SO_SNDTIMEO", options.send_timeout);
  pb::SocketOptionLinger linger;
  linger.set_active(options.linger.has_value());
  fill(*linger.mutable_duration(), options.linger.value_or(std::chrono::seconds(0)));
  add_option(data, "SO_LINGER", options.linger ? seconds_text(*options.linger) : "off", linger);
  if (options.user_timeout) add_timeout(data, "TCP_USER_TIMEOUT", *options.user_timeout);
  if (options.tcp) add_option(data, "TCP_INFO", "", message_of(*options.tcp));
}

void fill(pb::SocketData& data, const SocketView& socket, const WallClock& clock) {
  const rpc::channelz::SocketCounts& counts = socket.counts;
  data.set_streams_started(signed_count(counts.streams_started.get()));
  data.set_streams_succeeded(signed_count(counts.streams_succeeded.get()));
  data.set_streams_failed(signed_count(counts.streams_failed.get()));
  data.set_messages_sent(signed_count(counts.messages_sent.get()));
  data.set_messages_received(signed_count(counts.messages_received.get()));
  data.set_keep_alives_sent(signed_count(counts.keepalives_sent.get()));
  if (const TimePoint at = counts.last_stream_started.get(); at != TimePoint())
    fill(socket.side == rpc::channelz::Socket::Side::kClient
             ? *data.mutable_last_local_stream_created_timestamp()
             : *data.mutable_last_remote_stream_created_timestamp(),
         at, clock);
  if (const TimePoint at = counts.last_message_sent.get(); at != TimePoint())
    fill(*data.mutable_last_message_sent_timestamp(), at, clock);
  if (const TimePoint at = counts.last_message_received.get(); at != TimePoint())
    fill(*data.mutable_last_message_received_timestamp(), at, clock);
  data.mutable_local_flow_control_window()->set_value(counts.local_window.get());
  data.mutable_remote_flow_control_window()->set_value(counts.peer_window.get());
  if (socket.options) add_options(data, *socket.options);
}

}  // namespace

void fill(pb::SocketRef& message, const Reference& socket) {
  message.set_socket_id(socket.id);
  message.set_name(legible(socket.name));
}

void fill(pb::Channel& message, const GroupView& channel, const WallClock& clock) {
  message.mutable_ref()->set_channel_id(channel.reference.id);
  message.mutable_ref()->set_name(legible(channel.reference.name));
  fill(*message.mutable_data(), channel, clock);
  for (const Reference& subchannel : channel.children) fill(*message.add_subchannel_ref(), subchannel);
}

void fill(pb::Subchannel& message, const GroupView& subchannel, const WallClock& clock) {
  fill(*message.mutable_ref(), subchannel.reference);
  fill(*message.mutable_data(), subchannel, clock);
  for (const Reference& socket : subchannel.sockets) fill(*message.add_socket_ref(), socket);
}

void fill(pb::Server& message, const GroupView& server, const WallClock& clock) {
  message.mutable_ref()->set_server_id(server.reference.id);
  fill_data(*message.mutable_data(), server, clock);
  for (const Reference& socket : server.children) fill(*message.add_listen_socket(), socket);
  // A server has no name; where it listens says which one it is.
  for (const Reference& socket : server.children)
    message.mutable_ref()
        ->mutable_name()
        ->append(message.ref().name().empty() ? "" : ", ")
        .append(legible(socket.name));
}

void fill(pb::Socket& message, const SocketView& socket, const WallClock& clock) {
  fill(*message.mutable_ref(), socket.reference);
  if (socket.local) fill(*message.mutable_local(), *socket.local);
  if (socket.listening) {
    message.mutable_data();
    return;
  }
  fill(*message.mutable_data(), socket, clock);
  if (socket.peer) fill(*message.mutable_remote(), *socket.peer);
  if (socket.side == rpc::channelz::Socket::Side::kClient)
    message.set_remote_name(legible(socket.reference.name));
  if (!socket.tls) return;
  pb::Security::Tls& tls = *message.mutable_security()->mutable_tls();
  tls.set_standard_name(socket.tls->cipher_suite);
  tls.set_local_certificate(socket.tls->local_certificate);
  tls.set_remote_certificate(socket.tls->peer_certificate);
}

}  // namespace minigrpc::services
