// SPDX-License-Identifier: MIT
#include "command_tree.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/nearest.h"
#include "command.h"

namespace snakepit::shm::cli {

namespace {

std::string range_text(std::uint64_t least, std::uint64_t most) {
    constexpr auto kUnlimited =
        static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    return most == kUnlimited ? fmt::format("a whole number of at least {}", least)
                              : fmt::format("a whole number from {} to {}", least, most);
}

}  // namespace

Option& Option::required() {
    is_required = true;
    return *this;
}

Option& Option::one_of(std::vector<std::string> values) {
    choices = std::move(values);
    return *this;
}

Option& Option::suggest(std::vector<std::string> values) {
    suggestions = std::move(values);
    return *this;
}

Option& Option::range(std::uint64_t first, std::uint64_t last) {
    least = first;
    most = last;
    return *this;
}

Option& Option::completed_with(Completion what) {
    completion = what;
    return *this;
}

Option& Option::with_file(FilePlace where, unsigned file_mode) {
    completion = Completion::files;
    place = where;
    mode = file_mode;
    return *this;
}

Option& Option::excludes(const Option& other) {
    excluded.push_back(&other);
    return *this;
}

Option& Option::needs(const Option& other) {
    needed.push_back(&other);
    return *this;
}

std::vector<std::string> Option::switches() const {
    std::vector<std::string> out;
    for (std::size_t from = 0; !argument && from < names.size();) {
        const auto to = std::min(names.find(',', from), names.size());
        out.push_back(names.substr(from, to - from));
        from = to + 1;
    }
    return out;
}

std::string Option::longest_name() const {
    return argument ? names : switches().back();
}

tl::unexpected<Error> Option::expected(std::string_view what, std::string_view word) const {
    return fail(ErrorCode::invalid_argument,
                fmt::format("{}: expected {}, not '{}'", longest_name(), what, word));
}

Command::Command(std::string name, std::string summary, Context& context)
    : name_(std::move(name)), summary_(std::move(summary)), context_(context) {
    add_common_options();
}

Command& Command::add(std::string name, std::string summary) {
    auto& out = *commands_.emplace_back(
        std::make_unique<Command>(std::move(name), std::move(summary), context_));
    out.parent_ = this;
    out.section_of_ = section_;
    return out;
}

Command& Command::add_hidden(std::string name) {
    auto& out = add(std::move(name), "");
    out.hidden_ = true;
    return out;
}

void Command::add_common_options() {
    flag("--json", context_.json, "Print one JSON document, and errors as JSON too").common = true;
    option("--instance", "NAME", context_.instance,
           "Use this instance (default: $SNAKEPIT_SHM_INSTANCE, else 'default')")
        .common = true;
    option("--color", "WHEN", context_.color,
           "Use colors: auto (default: on a terminal), always or never")
        .one_of({"auto", "always", "never"})
        .common = true;
    option("--via", "COMMAND", context_.via,
           "Run on another machine: COMMAND runs programs there, as in --via 'ssh host'")
        .common = true;
}

Option& Command::add_option(std::string names, std::string placeholder, std::string help) {
    auto& out = options_.emplace_back();
    out.names = std::move(names);
    out.placeholder = std::move(placeholder);
    out.help = std::move(help);
    return out;
}

Option& Command::flag(std::string names, bool& value, std::string help) {
    auto& out = add_option(std::move(names), "", std::move(help));
    out.set = [&value](const auto&) -> Status {
        value = true;
        return {};
    };
    return out;
}

Option& Command::option(std::string names, std::string placeholder, std::string& value,
                        std::string help) {
    auto& out = add_option(std::move(names), std::move(placeholder), std::move(help));
    out.set = [&out, &value](const std::vector<std::string>& words) -> Status {
        const auto& known = out.choices;
        if (!known.empty() && std::find(known.begin(), known.end(), words.back()) == known.end())
            return out.expected(listed(known), words.back());
        value = words.back();
        return {};
    };
    return out;
}

Option& Command::option(std::string names, std::string placeholder, std::vector<std::string>& value,
                        std::string help) {
    auto& out = add_option(std::move(names), std::move(placeholder), std::move(help));
    out.repeated = true;
    out.set = [&value](const std::vector<std::string>& words) -> Status {
        value = words;
        return {};
    };
    return out;
}

Option& Command::number(std::string names, std::string placeholder, std::string help,
                        std::uint64_t most, std::function<void(std::uint64_t)> set) {
    auto& out =
        add_option(std::move(names), std::move(placeholder), std::move(help)).range(0, most);
    out.set = [&out, set = std::move(set)](const std::vector<std::string>& words) -> Status {
        const auto& word = words.back();
        std::uint64_t value = 0;
        const auto* end = word.data() + word.size();
        const auto read = std::from_chars(word.data(), end, value);
        if (read.ec != std::errc{} || read.ptr != end || value < out.least || value > out.most)
            return out.expected(range_text(out.least, out.most), word);
        set(value);
        return {};
    };
    return out;
}

Option& Command::argument(std::string placeholder, std::string& value, std::string help) {
    auto& out = option(placeholder, placeholder, value, std::move(help));
    out.argument = true;
    return out;
}

Option& Command::argument(std::string placeholder, std::vector<std::string>& value,
                          std::string help) {
    auto& out = option(placeholder, placeholder, value, std::move(help));
    out.argument = true;
    return out;
}

Option& Command::number_argument(std::string placeholder, std::uint64_t& value, std::string help) {
    auto& out = option(placeholder, placeholder, value, std::move(help));
    out.argument = true;
    return out;
}

const std::string& Command::region() {
    auto& id = options<std::string>();
    argument("ID", id, "The region: its id, the beginning or the end of it, or its name")
        .required()
        .completed_with(Completion::regions);
    return id;
}

Option& Command::regions(std::vector<std::string>& value) {
    return argument("ID", value, "The regions: the id of each, its beginning or end, or its name")
        .required()
        .completed_with(Completion::regions);
}

std::string Command::path() const {
    if (!parent_) return {};
    const auto above = parent_->path();
    return above.empty() ? name_ : above + " " + name_;
}

const Command* Command::find(std::string_view name) const {
    const auto found =
        std::find_if(commands_.begin(), commands_.end(),
                     [name](const auto& command) { return command->name() == name; });
    return found == commands_.end() ? nullptr : found->get();
}

const Option* Command::find_option(std::string_view word) const {
    for (const auto& option : options_)
        for (const auto& name : option.switches())
            if (name == word) return &option;
    return nullptr;
}

std::vector<std::string_view> Command::command_names() const {
    std::vector<std::string_view> out;
    for (const auto& command : commands_)
        if (!command->hidden()) out.push_back(command->name());
    return out;
}

std::string Command::listed(const std::vector<std::string>& words) {
    std::string out;
    for (std::size_t i = 0; i < words.size(); ++i)
        out += fmt::format("{}{}", i == 0 ? "" : i + 1 == words.size() ? " or " : ", ", words[i]);
    return out;
}

namespace {

// What other tools call it.
std::string other_name(std::string_view word) {
    if (word == "stop" || word == "quit" || word == "kill")
        return "end a manager with Ctrl-C, or with SIGTERM to the process that 'status' names";
    if (word == "start") return "did you mean 'serve'?";
    if (word == "ls") return "did you mean 'list'?";
    if (word == "ps") return "did you mean 'top'?";
    if (word == "rm" || word == "delete" || word == "free") return "did you mean 'deallocate'?";
    return {};
}

std::string remedy_for(const Command& command, const std::string& word) {
    const auto path = command.path();
    if (path.empty())
        if (auto other = other_name(word); !other.empty()) return other;
    const auto near = nearest(word, command.command_names());
    if (!near.empty()) return fmt::format("did you mean '{}'?", near);
    return path.empty() ? "see snakepit-shm help" : "see snakepit-shm help " + path;
}

}  // namespace

Error unknown_command(const Command& command, const std::string& word) {
    auto error = make_error(ErrorCode::invalid_argument, fmt::format("unknown command '{}'", word),
                            remedy_for(command, word));
    error.operation = command.path();
    return error;
}

}  // namespace snakepit::shm::cli
