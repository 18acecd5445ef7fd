// SPDX-License-Identifier: MIT
// help, version, and the texts they print.
#include "help.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <QtGlobal>

#include "base/version.h"
#include "command.h"
#include "json.h"
#include "layout/registry_layout.h"
#include "output.h"
#include "protocol/messages.h"

namespace snakepit::shm::cli {

namespace {

constexpr std::size_t kWidth = 100;        // columns where the output is not a terminal
constexpr std::size_t kTitleColumns = 30;  // of options; longer ones have a line of their own

struct Line {
    std::string title, text;
};

// Titles, and beside them the texts, wrapped.
std::string list_of(const std::string& heading, const std::vector<Line>& lines, std::size_t width) {
    if (lines.empty()) return {};
    std::size_t wide = 0;
    for (const auto& line : lines)
        wide = std::max(wide, std::min(columns(line.title), kTitleColumns));
    auto out = fmt::format("\n{}:\n", heading);
    const auto room = std::max<std::size_t>(width, wide + 24) - wide - 4;
    for (const auto& line : lines) {
        auto title = line.title;
        if (columns(title) > wide) {
            out += "  " + title + '\n';
            title.clear();
        }
        for (const auto& piece : wrapped(line.text, room, 0)) {
            out += fmt::format("  {}  {}", truncated(title, wide), piece);
            out.erase(out.find_last_not_of(' ') + 1);
            out += '\n';
            title.clear();
        }
    }
    return out;
}

std::vector<Line> options_of(const Command& command, bool arguments, bool common) {
    std::vector<Line> out;
    for (const auto& option : command.all_options())
        if (option.argument == arguments && option.common == common && !option.help.empty())
            out.push_back({option_title(option), option_text(option)});
    if (common && !arguments) out.push_back({"-h, --help", "Print this help"});
    return out;
}

// In the order of the tree, by their section.
std::string commands_of(const Command& command, std::size_t width) {
    std::vector<std::string> sections;
    for (const auto& inner : command.commands())
        if (!inner->hidden() &&
            std::find(sections.begin(), sections.end(), inner->section_title()) == sections.end())
            sections.push_back(inner->section_title());
    std::string out;
    for (const auto& section : sections) {
        std::vector<Line> lines;
        for (const auto& inner : command.commands())
            if (!inner->hidden() && inner->section_title() == section)
                lines.push_back({inner->name(), inner->summary()});
        out += list_of(section.empty() ? "Commands" : section, lines, width);
    }
    return out;
}

struct HelpOptions {
    std::vector<std::string> words;
    bool man = false;
};

const Command& root_of(const Command& command) {
    return command.parent() ? root_of(*command.parent()) : command;
}

}  // namespace

std::string option_title(const Option& option) {
    if (option.argument) return option.names + (option.repeated ? "..." : "");
    const auto title = fmt::format("{}", fmt::join(option.switches(), ", "));
    return option.is_flag() ? title : title + ' ' + option.placeholder;
}

std::string option_text(const Option& option) {
    // The placeholders of options with a few values have them in their help already.
    const bool named = std::all_of(
        option.choices.begin(), option.choices.end(),
        [&](const std::string& choice) { return option.help.find(choice) != std::string::npos; });
    return named ? option.help
                 : fmt::format("{}: {}", option.help, Command::listed(option.choices));
}

std::string usage_of(const Command& command) {
    const auto path = command.path();
    auto out = "snakepit-shm" + (path.empty() ? "" : " " + path);
    if (!command.command_names().empty()) out += command.action() ? " [COMMAND]" : " COMMAND";
    out += " [OPTIONS]";
    for (const auto& option : command.all_options()) {
        if (!option.argument) continue;
        const auto title = option_title(option);
        out += option.is_required ? " " + title : " [" + title + "]";
    }
    return out;
}

std::string footer_of(const Command& command, std::size_t width) {
    std::string out;
    for (std::string_view rest = command.footer(); !rest.empty();) {
        const auto end = std::min(rest.find('\n'), rest.size());
        for (const auto& piece : wrapped(rest.substr(0, end), width, 2)) out += piece + '\n';
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return out;
}

std::string help_text(const Command& command) {
    const auto width = output_columns() > 0 ? output_columns() : kWidth;
    auto out = fmt::format("Usage: {}\n\n", usage_of(command));
    for (const auto& line : wrapped(command.summary() + '.', width, 0)) out += line + '\n';
    out += list_of("Arguments", options_of(command, true, false), width);
    out += commands_of(command, width);
    out += list_of("Options", options_of(command, false, false), width);
    out += list_of("Common options", options_of(command, false, true), width);
    if (!command.footer().empty()) out += '\n' + footer_of(command, width);
    return out;
}

void print_help(const Command& command) {
    print(help_text(command));
}

Result<int> print_version(const Context& context) {
    if (context.json) {
        print_json({{"version", text(kVersionText)},
                    {"protocol", static_cast<int>(kProtocolVersion)},
                    {"registry_layout", static_cast<int>(layout::kVersion)},
                    {"qt", qVersion()}});
    } else {
        print(fmt::format("snakepit-shm {} (protocol {}, registry layout {}, Qt {})\n",
                          kVersionText, kProtocolVersion, layout::kVersion, qVersion()));
    }
    return kDone;
}

void add_about(Command& app) {
    app.add("version", "Print the version of the program and of its protocol").run(print_version);

    auto& help = app.add("help", "Explain a command");
    auto& options = help.options<HelpOptions>();
    help.argument("COMMAND", options.words, "The command, and the command within it")
        .completed_with(Completion::commands);
    help.flag("--man", options.man, "Print the manual page snakepit-shm(1) in roff");
    help.run([&help, &options](const Context& context) -> Result<int> {
        const auto* shown = &root_of(help);
        for (const auto& word : options.words) {
            const auto* inner = shown->find(word);
            if (!inner) return fail(unknown_command(*shown, word));
            shown = inner;
        }
        if (options.man)
            print_raw(man_page(root_of(help)));
        else if (context.json)
            print_json({{"help", text(help_text(*shown))}});
        else
            print_help(*shown);
        return kDone;
    });
    app.footer(
        "Exit status: 0 done, 1 failed, 2 usage error, 3 no manager is running, 4 permission "
        "denied,\n"
        "5 checks found problems. With --json, errors are one JSON document on standard error.\n"
        "Start a manager with: snakepit-shm serve; stop it with Ctrl-C or SIGTERM");
}

}  // namespace snakepit::shm::cli
