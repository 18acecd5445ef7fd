// SPDX-License-Identifier: MIT
// The manual page of the program, in roff.
#include <fmt/format.h>

#include <QString>

#include "base/version.h"
#include "help.h"

namespace snakepit::shm::cli {

namespace {

struct Variable {
    const char* name;
    const char* meaning;
};
constexpr Variable kEnvironment[] = {
    {"SNAKEPIT_SHM_INSTANCE", "The instance that is used without --instance; 'default' if unset"},
    {"SNAKEPIT_SHM_RUNTIME_DIR", "Directory of the socket and the registry"},
    {"SNAKEPIT_SHM_STATE_DIR", "Directory of the databases, the keys and durable regions"},
    {"SNAKEPIT_SHM_CONFIG", "The configuration file"},
    {"SNAKEPIT_SHM_AUTOSTART", "1: a client that finds no manager starts one for its user"},
    {"NO_COLOR", "Set to anything: no colors"},
};

struct ExitStatus {
    int number;
    const char* meaning;
};
constexpr ExitStatus kExitStatus[] = {
    {0, "Done"},
    {1, "The operation failed"},
    {2, "Usage error"},
    {3, "No manager is running"},
    {4, "Permission denied"},
    {5, "Checks found problems (health, audit verify, policy check)"},
};

// Text that roff prints as it is.
std::string roff(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool begins_line = i == 0 || text[i - 1] == '\n';
        if (begins_line && (text[i] == '.' || text[i] == '\'')) out += "\\&";
        if (text.substr(i).starts_with("…")) {
            out += "...";
            i += std::string_view("…").size() - 1;
        } else if (text[i] == '\\') {
            out += "\\e";
        } else if (text[i] == '-') {
            out += "\\-";
        } else if (text[i] == '\'') {
            out += "\\(aq";
        } else if (text[i] == '"') {
            out += "\\(dq";
        } else {
            out += text[i];
        }
    }
    return out;
}

void add_item(std::string& out, std::string_view title, std::string_view meaning) {
    out += fmt::format(".TP\n\\fB{}\\fR\n{}.\n", roff(title), roff(meaning));
}

void add_options(std::string& out, const Command& command, bool common) {
    for (const auto& option : command.all_options())
        if (option.common == common && !option.help.empty())
            add_item(out, option_title(option), option_text(option));
}

void add_footer(std::string& out, const Command& command) {
    constexpr std::size_t kColumns = 78;  // of a page in a terminal
    if (!command.footer().empty())
        out += fmt::format(".PP\n.nf\n{}.fi\n", roff(footer_of(command, kColumns)));
}

void add_commands(std::string& out, const Command& command, std::string& section) {
    for (const auto& inner : command.commands()) {
        if (inner->hidden()) continue;
        if (const auto& title = inner->section_title(); !title.empty() && title != section) {
            section = title;
            out += fmt::format(
                ".SH \"{}\"\n",
                roff(QString::fromStdString(title + " commands").toUpper().toStdString()));
        }
        out += fmt::format(".SS \"{}\"\n{}.\n", roff(usage_of(*inner)), roff(inner->summary()));
        add_options(out, *inner, false);
        add_footer(out, *inner);
        add_commands(out, *inner, section);
    }
}

}  // namespace

std::string man_page(const Command& app) {
    auto out = fmt::format(
        ".\\\" Made by 'snakepit-shm help --man'.\n"
        ".TH SNAKEPIT\\-SHM 1 \"\" \"snakepit\\-shm {}\" \"User Commands\"\n"
        ".SH NAME\nsnakepit\\-shm \\- manage memory that programs share\n"
        ".SH SYNOPSIS\n.B snakepit\\-shm\n\\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n"
        ".SH DESCRIPTION\n"
        "A manager (\\fBsnakepit\\-shm serve\\fR) allocates regions of shared memory, knows which "
        "process holds "
        "which of them, and frees them when their processes have ended, also after a crash.\n"
        "The commands below show and control it.\n"
        ".PP\nA region is named by its id, or by the beginning or the end of it where only one "
        "region matches.\n"
        ".SH \"COMMON OPTIONS\"\nEvery command has these options.\n",
        roff(kVersionText));
    add_options(out, app, true);
    add_item(out, "-h, --help", "Print the help of the command");
    out += ".SH OPTIONS\n";
    add_options(out, app, false);
    std::string section;
    add_commands(out, app, section);
    out += ".SH \"EXIT STATUS\"\n";
    for (const auto& status : kExitStatus)
        add_item(out, fmt::format("{}", status.number), status.meaning);
    out += ".PP\n\\fBrun\\fR exits with the status of its command.\n.SH ENVIRONMENT\n";
    for (const auto& variable : kEnvironment) add_item(out, variable.name, variable.meaning);
    return out +
           ".SH \"SEE ALSO\"\n.BR snakepit\\-shm\\-monitor (1),\n.BR snakepit\\-shm.toml (5),\n"
           ".BR snakepit_shm (3)\n";
}

}  // namespace snakepit::shm::cli
