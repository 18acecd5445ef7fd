// SPDX-License-Identifier: MIT
// The only source that includes CLI11, which costs seconds wherever it is compiled.
#include "command_line.h"

#include <algorithm>
#include <map>
#include <optional>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <fmt/format.h>

#include "base/nearest.h"

namespace snakepit::shm::cli {

namespace {

class Parser {
  public:
    explicit Parser(const Command& root) : root_(root), app_(root.summary(), root.name()) {
        build(app_, root);
    }

    Result<Parsed> parse(const std::vector<std::string>& words) {
        std::optional<Error> error;
        Parsed out;
        try {
            app_.parse(std::vector<std::string>(words.rbegin(), words.rend()));
        } catch (const CLI::CallForHelp&) {
            out.help = true;
        } catch (const CLI::ParseError& problem) {
            error = usage_error(problem);
        }
        out.command = &chosen().command;
        if (!out.help && refused_) error = refused_;
        if (!out.help && !error && !out.command->action()) error = missing_command(*out.command);
        if (!error) return out;
        if (error->remedy.empty()) error->remedy = help_hint(*out.command);
        const auto path = out.command->path();
        if (error->operation.empty()) error->operation = path.substr(0, path.find(' '));
        return fail(std::move(*error));
    }

  private:
    struct Chosen {
        const CLI::App& app;
        const Command& command;
    };

    void build(CLI::App& app, const Command& command) {
        app.require_subcommand(
            0, 1);  // a later word may be the name of another command, and is not it
        for (const auto& option : command.all_options()) add(app, option);
        for (const auto& option : command.all_options()) {
            for (const auto* other : option.excluded)
                built_.at(&option)->excludes(built_.at(other));
            for (const auto* other : option.needed) built_.at(&option)->needs(built_.at(other));
        }
        for (const auto& inner : command.commands())
            build(*app.add_subcommand(inner->name()), *inner);
    }

    void add(CLI::App& app, const Option& option) {
        const auto set = [this, &option](const std::vector<std::string>& values) {
            if (auto done = option.set(values); !done && !refused_)
                refused_ = std::move(done).error();
            return true;
        };
        auto*& built = built_[&option];
        if (option.is_flag()) {
            built = app.add_flag_callback(option.names, [set] { (void)set({}); });
            return;
        }
        built = app.add_option(option.names, CLI::callback_t(set))->required(option.is_required);
        if (option.repeated) built->expected(1, -1)->allow_extra_args(option.argument);
    }

    Chosen chosen() const {
        const auto* app = &app_;
        const auto* command = &root_;
        for (auto inner = app->get_subcommands(); !inner.empty(); inner = app->get_subcommands()) {
            app = inner.front();
            command = command->find(app->get_name());
        }
        return {*app, *command};
    }

    static std::string help_hint(const Command& command) {
        return fmt::format("see snakepit-shm help{}{}", command.parent() ? " " : "",
                           command.path());
    }

    static Error missing_command(const Command& command) {
        return make_error(ErrorCode::invalid_argument,
                          command.parent()
                              ? fmt::format("'{}' needs one of its commands", command.path())
                              : "no command was given");
    }

    static Error unknown_option(const Command& command, const std::string& word) {
        std::vector<std::string> names;
        for (const auto& option : command.all_options())
            for (auto& name : option.switches()) names.push_back(std::move(name));
        const auto near = nearest(word, std::vector<std::string_view>(names.begin(), names.end()));
        return make_error(
            ErrorCode::invalid_argument, fmt::format("unknown option '{}'", word),
            near.empty() ? help_hint(command) : fmt::format("did you mean '{}'?", near));
    }

    Error usage_error(const CLI::ParseError& problem) const {
        const auto [app, command] = chosen();
        const auto rest = app.remaining();
        const auto plain = std::find_if(rest.begin(), rest.end(),
                                        [](const auto& word) { return !word.starts_with('-'); });
        if (plain != rest.end() && !command.command_names().empty())
            return unknown_command(command, *plain);
        if (!rest.empty() && rest.front().starts_with('-'))
            return unknown_option(command, rest.front());
        if (!rest.empty())
            return make_error(ErrorCode::invalid_argument,
                              fmt::format("unexpected argument '{}'", rest.front()));
        const std::string said = problem.what();
        const auto name = said.substr(0, said.find(':'));
        if (dynamic_cast<const CLI::ArgumentMismatch*>(&problem))
            return make_error(ErrorCode::invalid_argument,
                              said.find("received") == said.npos
                                  ? fmt::format("{} needs a value", name)
                                  : fmt::format("{} was given more than once", name));
        return make_error(ErrorCode::invalid_argument, said);
    }

    const Command& root_;
    CLI::App app_;
    std::map<const Option*, CLI::Option*> built_;
    std::optional<Error> refused_;  // the first value that an option did not take
};

bool takes_next_word(const Command& command, const std::string& word) {
    const auto* option = command.find_option(word);
    return option && !option->is_flag();
}

// The first word from `at` on that is neither an option of `command` nor the value of one.
std::size_t first_plain(const Command& command, const std::vector<std::string>& words,
                        std::size_t at) {
    while (at < words.size() && words[at].size() > 1 && words[at].front() == '-' &&
           words[at] != "--")
        at += takes_next_word(command, words[at]) ? 2 : 1;
    return std::min(at, words.size());
}

}  // namespace

std::vector<std::string> take_raw_words(const Command& root, std::vector<std::string>& words) {
    const auto at = first_plain(root, words, 0);
    const auto* command = at < words.size() ? root.find(words[at]) : nullptr;
    if (!command || !command->raw_words()) return {};
    auto first = first_plain(*command, words, at + 1);
    const auto end = first;
    if (first < words.size() && words[first] == "--") ++first;
    std::vector<std::string> out(words.begin() + static_cast<std::ptrdiff_t>(first), words.end());
    words.resize(end);
    if (!out.empty()) words.emplace_back("COMMAND");
    return out;
}

Result<Parsed> parse_command_line(const Command& root, const std::vector<std::string>& words) {
    return Parser(root).parse(words);
}

}  // namespace snakepit::shm::cli
