// SPDX-License-Identifier: MIT
// completions: scripts for shells. They call the hidden command `complete` with the words of the
// line, which prints a candidate a line with a tab and what it is behind it, or ":files" where the
// shell completes a file's name.
#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "base/units.h"
#include "command.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

constexpr int kPatienceMs = 500;  // for the regions of a manager that does not respond

constexpr auto kBash = R"(# bash completion of snakepit-shm: source <(snakepit-shm completions bash)
_snakepit_shm() {
    local candidate
    COMPREPLY=()
    while IFS=$'\t' read -r candidate _; do
        if [[ $candidate == :files ]]; then
            compopt -o default
        else
            COMPREPLY+=("$candidate")
        fi
    done < <("$1" complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _snakepit_shm snakepit-shm
)";

constexpr auto kZsh = R"(#compdef snakepit-shm
# zsh completion of snakepit-shm: source <(snakepit-shm completions zsh)
_snakepit_shm() {
    local candidate description
    local -a candidates descriptions
    while IFS=$'\t' read -r candidate description; do
        if [[ $candidate == :files ]]; then
            _files
        else
            candidates+=("$candidate")
            descriptions+=("$candidate${description:+  -- $description}")
        fi
    done < <("${words[1]}" complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
    (( $#candidates )) && compadd -U -l -d descriptions -a candidates
}
if [ "$funcstack[1]" = "_snakepit_shm" ]; then
    _snakepit_shm "$@"
else
    compdef _snakepit_shm snakepit-shm
fi
)";

constexpr auto kFish = R"(# fish completion of snakepit-shm: snakepit-shm completions fish | source
function __snakepit_shm_complete
    set -l words (commandline -opc)
    set -l program $words[1]
    set -e words[1]
    for line in ($program complete -- $words (commandline -ct) 2>/dev/null)
        if test "$line" = ":files"
            __fish_complete_path (commandline -ct)
        else
            echo $line
        end
    end
end
complete -c snakepit-shm -f -a '(__snakepit_shm_complete)'
)";

struct Candidate {
    std::string word, meaning;
};

// Where in the tree the line has come to.
struct Position {
    const Command* command = nullptr;
    const Option* value_of = nullptr;  // the option whose value is next
    std::size_t arguments = 0;         // given so far
};

Position position_of(const Command& root, const std::vector<std::string>& words) {
    Position at{&root, nullptr, 0};
    for (const auto& word : words) {
        if (at.value_of) {
            at.value_of = nullptr;
        } else if (word.starts_with('-')) {
            const auto* option = at.command->find_option(word);
            if (option && !option->is_flag()) at.value_of = option;
        } else if (const auto* inner = at.arguments == 0 ? at.command->find(word) : nullptr) {
            at.command = inner;
        } else {
            ++at.arguments;
        }
    }
    return at;
}

void add_regions(const Context& context, std::vector<Candidate>& out) {
    const auto client = connect(context);
    if (!client) return;
    const auto regions = (*client)->list();
    if (!regions) return;
    // In a shell's word without quotes.
    const auto plain = [](const std::string& name) {
        return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
            return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' ||
                   c == '-';
        });
    };
    for (const auto& region : *regions) {
        if (plain(region.name))
            out.push_back({region.name, sanitized(fmt::format("{}, {}", region.id.str(),
                                                              format_size(region.size)))});
        out.push_back(
            {region.id.str(),
             sanitized(fmt::format("{}, {}, {}", format_size(region.size), to_string(region.state),
                                   process_label(region.owner_process, region.owner_pid)))});
    }
}

void add_values(const Context& context, const Option& option, const Command& root,
                std::vector<Candidate>& out) {
    for (const auto& choice : option.choices) out.push_back({choice, ""});
    for (const auto& suggestion : option.suggestions) out.push_back({suggestion, ""});
    if (option.completion == Completion::files) out.push_back({":files", ""});
    if (option.completion == Completion::regions) add_regions(context, out);
    if (option.completion == Completion::commands)
        for (const auto& command : root.commands())
            if (!command->hidden()) out.push_back({command->name(), command->summary()});
}

// The argument that the next word would be; null where there is none.
const Option* next_argument(const Position& at) {
    std::size_t index = 0;
    for (const auto& option : at.command->all_options()) {
        if (!option.argument) continue;
        if (option.repeated || index == at.arguments) return &option;
        ++index;
    }
    return nullptr;
}

std::vector<Candidate> candidates(const Context& context, const Command& root, const Position& at,
                                  const std::string& word) {
    std::vector<Candidate> out;
    if (at.value_of) {
        add_values(context, *at.value_of, root, out);
    } else if (word.starts_with('-')) {
        for (const auto& option : at.command->all_options())
            for (const auto& name : option.switches()) out.push_back({name, option.help});
        out.push_back({"--help", "Print this help"});
    } else {
        for (const auto& inner : at.command->commands())
            if (!inner->hidden() && at.arguments == 0)
                out.push_back({inner->name(), inner->summary()});
        if (const auto* argument = next_argument(at)) add_values(context, *argument, root, out);
    }
    return out;
}

// A region's id is completed from its end too.
bool fits(const Candidate& candidate, const std::string& word) {
    if (candidate.word == ":files" || candidate.word.starts_with(word)) return true;
    const auto digits =
        std::string_view(candidate.word).substr(std::min<std::size_t>(4, candidate.word.size()));
    return candidate.word.starts_with("shm_") && word.size() > 3 &&
           (digits.starts_with(word) || digits.ends_with(word));
}

Result<int> complete(const Context& context, const Command& root) {
    // bash has the '=' of "--option=value" as a word of its own.
    auto words = context.raw_words;
    if (!words.empty() && words.back() == "=") words.back().clear();
    words.erase(std::remove(words.begin(), words.end(), "="), words.end());
    std::string last;
    if (!words.empty()) {
        last = words.back();
        words.pop_back();
    }
    auto asked = context;
    asked.patience_ms = kPatienceMs;
    for (std::size_t i = 0; i + 1 < words.size(); ++i)
        if (words[i] == "--instance") asked.instance = words[i + 1];
    std::string out;
    for (const auto& candidate : candidates(asked, root, position_of(root, words), last))
        if (fits(candidate, last))
            out += fmt::format("{}\t{}\n", candidate.word, candidate.meaning);
    print_raw(out);
    return kDone;
}

Result<int> print_script(const Context&, const std::string& shell) {
    print_raw(shell == "bash" ? kBash : shell == "zsh" ? kZsh : kFish);
    return kDone;
}

}  // namespace

void add_completions(Command& app) {
    auto& command = app.add("completions", "Print the completion script of a shell");
    auto& shell = command.options<std::string>();
    command.argument("SHELL", shell, "bash, zsh or fish")
        .required()
        .one_of({"bash", "zsh", "fish"});
    command.footer(
        "bash: source <(snakepit-shm completions bash)\n"
        "zsh:  source <(snakepit-shm completions zsh)\n"
        "fish: snakepit-shm completions fish | source");
    command.run(print_script, shell);

    auto& hidden = app.add_hidden("complete");
    auto& placeholder = hidden.options<std::vector<std::string>>();
    hidden.argument("WORD", placeholder, "");
    hidden.takes_raw_words();
    hidden.run([&app](const Context& context) { return complete(context, app); });
}

}  // namespace snakepit::shm::cli
