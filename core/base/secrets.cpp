// SPDX-License-Identifier: MIT
#include "base/secrets.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

namespace snakepit::shm {

namespace {

// "key", "keys", "signing_key", "api-key"; a "key_file" only says where one is.
bool is_key(std::string_view name) {
    if (name.ends_with('s')) name.remove_suffix(1);
    return name == "key" || name.ends_with("_key") || name.ends_with("-key");
}

bool is_script(std::string_view word) {
    constexpr std::array<std::string_view, 10> kEndings{".py", ".pl", ".rb",  ".js",  ".sh",
                                                        ".R",  ".jl", ".lua", ".php", ".jar"};
    const auto plain = [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '/' || c == '_' || c == '-' || c == '.';
    };
    return std::all_of(word.begin(), word.end(), plain) &&
           std::any_of(kEndings.begin(), kEndings.end(),
                       [word](std::string_view ending) { return word.ends_with(ending); });
}

// "--name=value" and "-nvalue": the name stays.
std::string redacted_option(std::string_view word) {
    constexpr std::size_t kShort = 2;  // "-n"
    const auto end = word.starts_with("--") ? std::min(word.find('='), word.size()) : kShort;
    if (end >= word.size()) return std::string(word);
    return fmt::format("{}{}{}", word.substr(0, end), word[end] == '=' ? "=" : "", kRedacted);
}

}  // namespace

bool is_secret_name(std::string_view name) {
    std::string lower(name);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    constexpr std::array secret{"token",         "secret",  "passw",      "credential",
                                "authorization", "header",  "cookie",     "apikey",
                                "bearer",        "private", "environment"};
    return is_key(lower) || std::any_of(secret.begin(), secret.end(), [&](const char* word) {
               return lower.find(word) != std::string::npos;
           });
}

std::string redacted_url(std::string_view url) {
    const auto scheme = url.find("://");
    if (scheme == std::string_view::npos) return std::string(url);
    const auto begin = url.substr(0, scheme).find_last_of(" \"'(=") + 1;
    const auto rest = url.substr(scheme + 3);
    const auto host_end = rest.find_first_of("/?# \t\n\"')");
    auto host = rest.substr(0, host_end);
    const bool named = host.find('@') != std::string_view::npos;
    if (named) host.remove_prefix(host.rfind('@') + 1);
    const bool more = named || (host_end != std::string_view::npos &&
                                rest.substr(host_end).find_first_not_of("/ ") != std::string::npos);
    return fmt::format("{}{}://{}{}", url.substr(0, begin), url.substr(begin, scheme - begin), host,
                       more ? fmt::format("/{}", kRedacted) : std::string());
}

std::string redacted_command(const std::vector<std::string>& words) {
    std::string out;
    bool script = false;
    for (const auto& word : words) {
        if (out.empty()) {
            out = redacted_url(word);
            continue;
        }
        out += ' ';
        if (word.starts_with('-')) {
            out += redacted_option(word);
        } else if (!script && is_script(word)) {
            script = true;
            out += word;
        } else {
            out += kRedacted;
        }
    }
    return out;
}

}  // namespace snakepit::shm
