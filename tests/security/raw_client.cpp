// SPDX-License-Identifier: MIT
#include "raw_client.h"

using namespace snakepit::shm;

RawClient RawClient::open(const std::string& socket, bool lease) {
    RawClient client;
    auto channel = Channel::connect(socket);
    if (!channel) return client;
    client.channel_ = std::move(*channel);
    wire::HelloT hello;
    hello.version = kProtocolVersion;
    hello.lease = lease;
    wire::RequestT request;
    request.call.Set(std::move(hello));
    const auto welcome = client.ask(std::move(request));
    if (!welcome || !welcome->answer.AsWelcome()) {
        client.channel_.close();
        return client;
    }
    if (!lease) return client;
    client.page_file_ = client.take_handle();
    auto page = Mapping::map(client.page_file_, layout::LeaseOffsets::end,
                             Mapping::Access::read_write, true);
    if (page) client.page_ = std::move(*page);
    return client;
}

std::optional<wire::ReplyT> RawClient::ask(wire::RequestT request, int timeout_ms) {
    request.id = ++requests_;
    if (!send(encoder_.encode(request))) return std::nullopt;
    for (;;) {
        const auto ready = channel_.wait(false, timeout_ms);
        if (!ready || *ready == Io::again) return std::nullopt;
        const auto got = channel_.receive(frame_);
        if (!got || *got == Io::closed) {
            channel_.close();
            return std::nullopt;
        }
        if (*got == Io::again) continue;
        auto reply = decode_reply(frame_.bytes);
        if (!reply) return std::nullopt;
        if (reply->id == requests_) return std::move(*reply);
    }
}

bool RawClient::send(std::span<const std::byte> frame, std::span<const int> handles) {
    if (!channel_.valid()) return false;
    const auto sent = channel_.send(frame, handles);
    if (!sent || *sent == Io::closed) channel_.close();
    return sent && *sent == Io::done;
}

void RawClient::drain() {
    while (channel_.valid()) {
        const auto got = channel_.receive(frame_);
        if (!got || *got == Io::closed) return channel_.close();
        if (*got == Io::again) return;
    }
}

Handle RawClient::take_handle() {
    return frame_.handles.empty() ? Handle() : std::move(frame_.handles.front());
}
