// SPDX-License-Identifier: MIT
#include "config/config_edit.h"

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <vector>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "base/json.h"
#include "base/make_directory.h"
#include "config/config.h"
#include "platform/replace_file.h"

namespace snakepit::shm {

namespace {

constexpr std::string_view kRoot = "shared_memory";
constexpr std::string_view kLinux = "platform_options.linux";

std::vector<std::string> path_of(std::string_view key) {
    std::string full(key);
    if (key == "use_hugepages" || key == "shm_path") full = fmt::format("{}.{}", kLinux, key);
    if (!full.starts_with(fmt::format("{}.", kRoot))) full = fmt::format("{}.{}", kRoot, full);
    std::vector<std::string> parts;
    std::istringstream stream(full);
    for (std::string part; std::getline(stream, part, '.');) parts.push_back(part);
    return parts;
}

// Numbers, flags, lists and what is in quotes already stand as they are.
std::string toml_value(std::string_view value) {
    try {
        if (value.find('\n') == std::string_view::npos) {
            (void)toml::parse(fmt::format("v = {}\n", value));
            return std::string(value);
        }
    } catch (const toml::parse_error&) {  // so it is text
    }
    std::string quoted;
    append_json_string(quoted, value);
    return quoted;
}

// Offsets of the beginnings of lines.
class Lines {
  public:
    explicit Lines(std::string_view text) : text_(text) {
        for (std::size_t i = 0; i < text.size(); ++i)
            if (text[i] == '\n') begins_.push_back(i + 1);
    }
    // Columns count code points, as the parser does.
    std::size_t offset(const toml::source_position& at) const {
        if (at.line == 0 || at.line > begins_.size()) return text_.size();
        auto here = begins_[at.line - 1];
        for (std::size_t column = 1; column < at.column && here < text_.size(); ++column) do
                ++here;
            while (here < text_.size() &&
                   (static_cast<unsigned char>(text_[here]) & 0xC0U) == 0x80U);
        return here;
    }
    std::size_t end_of_line(std::size_t offset) const {
        const auto end = text_.find('\n', offset);
        return end == std::string_view::npos ? text_.size() : end + 1;
    }

  private:
    std::string_view text_;
    std::vector<std::size_t> begins_{0};
};

std::string joined(const std::vector<std::string>& parts) {
    std::string out;
    for (const auto& part : parts) out += out.empty() ? part : "." + part;
    return out;
}

// A line for the key behind the last one of its table; the table is begun where there is none.
std::string added(std::string text, const toml::table& root, const std::vector<std::string>& path,
                  const std::string& value) {
    auto section = path;
    section.pop_back();
    const auto line = fmt::format("{} = {}\n", path.back(), value);
    const auto* table = root.at_path(joined(section)).as_table();
    if (!text.empty() && text.back() != '\n') text += '\n';
    if (!table)
        return fmt::format("{}{}[{}]\n{}", text, text.empty() ? "" : "\n", joined(section), line);
    const Lines lines(text);
    auto end = lines.end_of_line(lines.offset(table->source().begin));
    for (const auto& [key, node] : *table)
        if (!node.is_table())
            end = std::max(end, lines.end_of_line(lines.offset(node.source().end) - 1));
    return text.insert(end, line);
}

void collect_keys(const toml::table& table, const std::string& prefix,
                  std::vector<std::string>& out) {
    for (const auto& [key, node] : table) {
        const auto name = prefix + std::string(key.str());
        if (const auto* inner = node.as_table())
            collect_keys(*inner, name + ".", out);
        else
            out.push_back(name);
    }
}

}  // namespace

std::vector<std::string> keys_in(std::string_view text) {
    std::vector<std::string> out;
    try {
        const auto root = toml::parse(text);
        if (const auto* table = root[kRoot].as_table()) collect_keys(*table, {}, out);
    } catch (const toml::parse_error&) {  // whoever parses it as a configuration is told why
    }
    return out;
}

Result<std::string> read_configuration(const std::string& path) {
    if (path.empty()) return std::string();
    std::ifstream file(path, std::ios::binary);
    if (!file.is_open())
        return errno == ENOENT ? Result<std::string>(std::string())
                               : fail(system_error(errno, fmt::format("cannot read {}", path),
                                                   ErrorCode::configuration_invalid));
    std::ostringstream text;
    if (file.peek() != std::ifstream::traits_type::eof()) text << file.rdbuf();
    return text.str();
}

Result<std::string> with_key(std::string_view text, std::string_view key, std::string_view value,
                             std::string_view source_name) {
    if (key.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.") != std::string_view::npos)
        return fail(ErrorCode::configuration_invalid,
                    fmt::format("unknown key '{}'", key.substr(0, 80)),
                    "'snakepit-shm config show' lists the keys");
    SHM_TRY(Config::parse(text, source_name));  // a broken file stays as it is
    const auto root = toml::parse(text);
    const auto path = path_of(key);
    const auto literal = toml_value(value);
    std::string changed(text);
    if (const auto node = root.at_path(joined(path))) {
        const Lines lines(text);
        const auto begin = lines.offset(node.node()->source().begin);
        changed.replace(begin, lines.offset(node.node()->source().end) - begin, literal);
    } else {
        changed = added(std::move(changed), root, path, literal);
    }
    SHM_TRY(Config::parse(changed, source_name));
    return changed;
}

Status set_in_file(const std::string& path, std::string_view key, std::string_view value) {
    SHM_TRY(make_parents(path));
    // First: what is not a regular file is not read either.
    SHM_ASSIGN(auto file, OutputFile::begin(path, {.replace = true, .mode = 0644}));
    SHM_ASSIGN(const auto text, read_configuration(path));
    const auto changed = with_key(text, key, value, path);
    if (!changed) {
        // A key that is unknown without the file too is a wrong word, not a line of it.
        const auto alone = with_key({}, key, value, {});
        const bool word = !alone && alone.error().message.starts_with("unknown ");
        return fail(word ? alone.error() : changed.error());
    }
    SHM_TRY(file.write(*changed));
    return file.commit();
}

}  // namespace snakepit::shm
