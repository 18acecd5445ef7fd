// SPDX-License-Identifier: MIT
// [shared_memory.telemetry]
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "base/json.h"
#include "base/units.h"
#include "config/config.h"
#include "config/config_sections.h"

namespace snakepit::shm {

namespace {

constexpr std::array<std::string_view, 4> kLabels{"user", "session", "worker", kHostLabel};
constexpr std::int64_t kShortestInterval = 1'000;  // milliseconds
constexpr std::int64_t kLongestInterval = 3'600'000;

struct Address {
    std::string host;
    std::uint16_t port = 0;
    bool loopback = false;
};

// "127.0.0.1:9847", "[::1]:9847" or "localhost:9847": no names that another host resolves.
std::optional<Address> parse_address(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    Address out;
    const auto digits = text.substr(colon + 1);
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
    if (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size())
        return std::nullopt;
    out.host = text.substr(0, colon);
    if (out.host == "localhost") out.host = "127.0.0.1";
    in_addr four{};
    if (::inet_pton(AF_INET, out.host.c_str(), &four) == 1) {
        out.loopback = (ntohl(four.s_addr) >> 24) == IN_LOOPBACKNET;
        return out;
    }
    if (out.host.size() < 2 || out.host.front() != '[' || out.host.back() != ']')
        return std::nullopt;
    out.host = out.host.substr(1, out.host.size() - 2);
    in6_addr six{};
    if (::inet_pton(AF_INET6, out.host.c_str(), &six) != 1) return std::nullopt;
    out.loopback = IN6_IS_ADDR_LOOPBACK(&six);
    return out;
}

Status read_listen(const toml::node& node, const ConfigPlace& place, bool allow_remote,
                   TelemetryOptions& out) {
    const auto* text = node.as_string();
    if (text && text->get().empty()) return {};  // nowhere
    const auto address = text ? parse_address(text->get()) : std::nullopt;
    if (!address)
        return place.of(node).wrong("expected an address to listen at",
                                    "write a numeric address and a port, as \"127.0.0.1:9847\"");
    if (!address->loopback && !allow_remote)
        return place.of(node).wrong(
            fmt::format("others can reach {}", text->get()),
            "listen at 127.0.0.1, or say allow_remote = true: who reaches it reads every metric");
    out.listen = text->get();
    out.host = address->host;
    out.port = address->port;
    return {};
}

Status read_file(const toml::node& node, const ConfigPlace& place, std::string& out) {
    const auto* text = node.as_string();
    if (!text || text->get().find('\0') != std::string::npos ||
        (!text->get().empty() && text->get().front() != '/'))
        return place.of(node).wrong("expected an absolute path", "write the file's full path");
    out = text->get();
    return {};
}

Status read_textfile(const toml::node& node, const ConfigPlace& place, std::string& out) {
    SHM_TRY(read_file(node, place, out));
    if (out.empty() || out.ends_with(".prom")) return {};
    return place.of(node).wrong("node_exporter reads only files named *.prom",
                                "let its name end in .prom");
}

Status read_journal_socket(const toml::node& node, const ConfigPlace& place, std::string& out) {
    SHM_TRY(read_file(node, place, out));
    if (!out.empty() && out.size() < sizeof(sockaddr_un::sun_path)) return {};
    return place.of(node).wrong("expected the path of a socket",
                                "write \"/run/systemd/journal/socket\"");
}

Status read_interval(const toml::node& node, const ConfigPlace& place, std::int64_t& out) {
    std::optional<std::int64_t> millis;
    if (const auto* number = node.as_integer()) millis = number->get();
    if (const auto* text = node.as_string())
        if (const auto parsed = parse_duration(text->get())) millis = *parsed;
    if (!millis || *millis < kShortestInterval || *millis > kLongestInterval)
        return place.of(node).wrong("expected a duration between a second and an hour",
                                    "write milliseconds, or \"15s\"");
    out = *millis;
    return {};
}

Status read_labels(const toml::node& node, const ConfigPlace& place,
                   std::vector<std::string>& out) {
    const auto remedy = "write a list of \"user\", \"session\", \"worker\" and \"host\"";
    const auto* list = node.as_array();
    if (!list) return place.of(node).wrong("expected a list", remedy);
    out.clear();
    for (const auto& entry : *list) {
        SHM_ASSIGN(const auto label, read_text(entry, place));
        if (std::find(kLabels.begin(), kLabels.end(), label) == kLabels.end())
            return place.of(entry).wrong("nothing is counted by this", remedy);
        if (std::find(out.begin(), out.end(), label) == out.end()) out.push_back(label);
    }
    return {};
}

Status read_journal(const toml::node& node, const ConfigPlace& place, JournalChoice& out) {
    if (const auto* flag = node.as_boolean()) {
        out = flag->get() ? JournalChoice::important : JournalChoice::off;
        return {};
    }
    const auto* text = node.as_string();
    if (text && text->get() == "auto")
        out = JournalChoice::automatic;
    else if (text && text->get() == "all")
        out = JournalChoice::everything;
    else
        return place.of(node).wrong("this does not say what goes to the journal",
                                    "write true, false, \"all\" or \"auto\"");
    return {};
}

std::string_view printed(JournalChoice choice) {
    switch (choice) {
        case JournalChoice::automatic:
            break;
        case JournalChoice::off:
            return "false";
        case JournalChoice::important:
            return "true";
        case JournalChoice::everything:
            return R"("all")";
    }
    return R"("auto")";
}

}  // namespace

Status read_telemetry(const toml::table& table, const ConfigPlace& place, TelemetryOptions& out) {
    for (const auto& [key, value] : table) {
        if (key == "listen") continue;  // allow_remote may stand behind it
        if (key == "allow_remote") {
            SHM_TRY(read_flag(value, place, out.allow_remote));
        } else if (key == "textfile") {
            SHM_TRY(read_textfile(value, place, out.textfile));
        } else if (key == "interval") {
            SHM_TRY(read_interval(value, place, out.interval_ms));
        } else if (key == "labels") {
            SHM_TRY(read_labels(value, place, out.labels));
        } else if (key == "journal") {
            SHM_TRY(read_journal(value, place, out.journal));
        } else if (key == "journal_socket") {
            SHM_TRY(read_journal_socket(value, place, out.journal_socket));
        } else {
            return place.of(key).unknown("key", key.str(),
                                         {"listen", "allow_remote", "textfile", "interval",
                                          "labels", "journal", "journal_socket"});
        }
    }
    if (const auto* listen = table.get("listen"))
        SHM_TRY(read_listen(*listen, place, out.allow_remote, out));
    return {};
}

void print_telemetry(const TelemetryOptions& options, std::string& out) {
    out += R"(,"telemetry":{"listen":)";
    append_json_string(out, options.listen);
    out += fmt::format(R"(,"allow_remote":{},"textfile":)", options.allow_remote);
    append_json_string(out, options.textfile);
    out += fmt::format(R"(,"interval":{},"labels":)", options.interval_ms);
    print_names(options.labels, out);
    out += fmt::format(R"(,"journal":{},"journal_socket":)", printed(options.journal));
    append_json_string(out, options.journal_socket);
    out += '}';
}

}  // namespace snakepit::shm
