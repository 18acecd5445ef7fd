// SPDX-License-Identifier: MIT
// A socket in place of the journal's.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <optional>
#include <string>

#include "base/handle.h"

namespace snakepit::shm::test {

using JournalMessage = std::map<std::string, std::string>;

// The native protocol: NAME=value, or NAME, the length in 8 bytes and a value of any bytes.
inline JournalMessage parse_journal_message(std::string_view text) {
    JournalMessage out;
    while (!text.empty()) {
        const auto end = text.find_first_of("=\n");
        const std::string name(text.substr(0, end));
        const bool plain = text[end] == '=';
        text.remove_prefix(end + 1);
        std::uint64_t size = text.find('\n');
        if (!plain) {
            std::memcpy(&size, text.data(), sizeof size);
            text.remove_prefix(sizeof size);
        }
        out[name] = text.substr(0, size);
        text.remove_prefix(size + 1);
    }
    return out;
}

class JournalSocket {
  public:
    explicit JournalSocket(const std::string& path)
        : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        bound_ = ::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    }
    bool bound() const { return bound_; }
    // The next one that came, if there is one.
    std::optional<JournalMessage> next() {
        std::string text(65536, '\0');
        const auto size = ::recv(socket_.get(), text.data(), text.size(), MSG_DONTWAIT);
        if (size < 0) return std::nullopt;
        text.resize(static_cast<std::size_t>(size));
        return parse_journal_message(text);
    }

  private:
    Handle socket_;
    bool bound_ = false;
};

}  // namespace snakepit::shm::test
