// SPDX-License-Identifier: MIT
// The journal's native protocol: "NAME=value" lines; a value of several lines has its length in
// front of it, eight bytes, the lowest first.
#include "platform/journal.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <fmt/format.h>

#include "base/handle.h"

namespace snakepit::shm {

namespace {

void append_field(std::string& out, std::string_view name, std::string_view value) {
    out += name;
    if (value.find('\n') == std::string_view::npos) {
        out += '=';
    } else {
        out += '\n';
        auto size = static_cast<std::uint64_t>(value.size());
        for (int i = 0; i < 8; ++i, size >>= 8) out += static_cast<char>(size & 0xFF);
    }
    out += value;
    out += '\n';
}

Error explain(int number, const std::string& path) {
    const auto what = fmt::format("cannot send to the journal at {}", path);
    if (number == ENOENT || number == ECONNREFUSED || number == ENOTDIR)
        return system_error(number, what, ErrorCode::not_supported);
    if (number == EAGAIN || number == EWOULDBLOCK || number == ENOBUFS)
        return system_error(number, what, ErrorCode::no_space);
    return system_error(number, what);
}

}  // namespace

Status send_to_journal(std::span<const std::pair<std::string_view, std::string>> fields,
                       const std::string& path) {
    sockaddr_un address{};
    if (path.size() >= sizeof address.sun_path)
        return fail(ErrorCode::invalid_argument, fmt::format("path {} is too long", path));
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    std::string message;
    for (const auto& [name, value] : fields) append_field(message, name, value);

    const Handle socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return fail(system_error(errno, "cannot create a socket"));
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
    for (;;) {
        const auto sent = ::sendto(socket.get(), message.data(), message.size(), MSG_NOSIGNAL,
                                   reinterpret_cast<const sockaddr*>(&address), size);
        if (sent >= 0) return {};
        if (errno != EINTR) return fail(explain(errno, path));
    }
}

}  // namespace snakepit::shm
