// SPDX-License-Identifier: MIT
// The commands of snakepit-shm with their options. The parser, the help, the man page and the
// completions of shells are made from this tree. It is built once, before anything is parsed, and
// lives as long as the program.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/result.h"

namespace snakepit::shm::cli {

struct Context;

// What a shell completes the value of an option with.
enum class Completion : std::uint8_t { none, regions, files, commands };

// Of a value that names a file: the machine it is on when the command runs on another one (--via).
enum class FilePlace : std::uint8_t {
    there,            // where the command runs
    read_here,        // where the user is
    read_if_present,  // where the user is if there is such a file; else it names something else
    written_here,     // where the user is
    nowhere,          // the option cannot be used then
};

// One option, flag or argument. The setters return the option, so that they can be chained.
class Option {
  public:
    // "-o,--output"; the placeholder for an argument.
    std::string names;
    std::string placeholder;  // of its value; empty for a flag
    std::string help;
    bool argument = false;  // given by its position
    bool repeated = false;  // takes one value or more
    bool is_required = false;
    bool common = false;                   // every command has it
    std::vector<std::string> choices;      // the only values
    std::vector<std::string> suggestions;  // for completion; others are taken too
    Completion completion = Completion::none;
    FilePlace place = FilePlace::there;
    unsigned mode = 0666;  // of a file that it writes
    std::vector<const Option*> excluded, needed;
    std::uint64_t least = 0, most = std::numeric_limits<std::int64_t>::max();  // of a number
    // Takes the values that were given; invalid_argument says what was expected.
    std::function<Status(const std::vector<std::string>&)> set;

    Option& required();
    // The values it takes; others are refused.
    Option& one_of(std::vector<std::string> values);
    Option& suggest(std::vector<std::string> values);
    // Of a number, both ends included.
    Option& range(std::uint64_t first, std::uint64_t last);
    Option& completed_with(Completion what);
    Option& with_file(FilePlace where, unsigned file_mode = 0666);
    Option& excludes(const Option& other);
    Option& needs(const Option& other);

    bool is_flag() const { return placeholder.empty(); }
    // "-o", "--output"; nothing for an argument.
    std::vector<std::string> switches() const;
    // "--output" of "-o,--output".
    std::string longest_name() const;
    // invalid_argument: "--limit: expected WHAT, not 'WORD'".
    tl::unexpected<Error> expected(std::string_view what, std::string_view word) const;
};

class Command {
  public:
    using Action = std::function<Result<int>(const Context&)>;

    Command(std::string name, std::string summary, Context& context);
    Command(const Command&) = delete;
    Command& operator=(const Command&) = delete;

    // A command within this one, with the options that every command has.
    Command& add(std::string name, std::string summary);
    // For processes that the program starts itself: in no help.
    Command& add_hidden(std::string name);
    // Commands that are added from now on are listed under this title.
    void section(std::string title) { section_ = std::move(title); }

    // An object that lives as long as the command: what its options are written to.
    template <typename T>
    T& options() {
        auto made = std::make_shared<T>();
        kept_.push_back(made);
        return *made;
    }

    Option& flag(std::string names, bool& value, std::string help);
    Option& option(std::string names, std::string placeholder, std::string& value,
                   std::string help);
    // Given as often as wanted, a value each.
    Option& option(std::string names, std::string placeholder, std::vector<std::string>& value,
                   std::string help);
    // A whole number.
    template <typename T>
    requires std::is_integral_v<T> Option& option(std::string names, std::string placeholder,
                                                  T& value, std::string help) {
        return number(std::move(names), std::move(placeholder), std::move(help), largest<T>(),
                      [&value](std::uint64_t number) { value = static_cast<T>(number); });
    }
    template <typename T>
    requires std::is_integral_v<T> Option& option(std::string names, std::string placeholder,
                                                  std::optional<T>& value, std::string help) {
        return number(std::move(names), std::move(placeholder), std::move(help), largest<T>(),
                      [&value](std::uint64_t number) { value = static_cast<T>(number); });
    }
    // One of the values that `parse` knows.
    template <typename T>
    Option& option(std::string names, std::string placeholder, std::optional<T>& value,
                   std::optional<T> (*parse)(std::string_view), std::vector<std::string> choices,
                   std::string help) {
        auto& out = add_option(std::move(names), std::move(placeholder), std::move(help));
        out.choices = std::move(choices);
        out.set = [&out, &value, parse](const std::vector<std::string>& words) -> Status {
            value = parse(words.back());
            if (!value) return out.expected(listed(out.choices), words.back());
            return {};
        };
        return out;
    }
    Option& argument(std::string placeholder, std::string& value, std::string help);
    Option& argument(std::string placeholder, std::vector<std::string>& value, std::string help);
    Option& number_argument(std::string placeholder, std::uint64_t& value, std::string help);
    // The region, or the regions, that the command is about; required.
    const std::string& region();
    Option& regions(std::vector<std::string>& value);

    void run(Action action) { action_ = std::move(action); }
    void run(Result<int> (*function)(const Context&)) { action_ = function; }
    template <typename T>
    void run(Result<int> (*function)(const Context&, const T&), const T& options) {
        action_ = [function, &options](const Context& context) {
            return function(context, options);
        };
    }

    // From the first word on that is not an option of it, words are left as they are: they are
    // another program's.
    void takes_raw_words() { raw_words_ = true; }
    bool raw_words() const { return raw_words_; }

    // Reads standard input, whatever its options are.
    void reads_input() { reads_input_ = true; }
    bool input_is_read() const { return reads_input_; }

    // Shown below the options; lines are kept.
    void footer(std::string text) { footer_ = std::move(text); }

    const std::string& name() const { return name_; }
    const std::string& summary() const { return summary_; }
    const std::string& footer() const { return footer_; }
    const std::string& section_title() const { return section_of_; }
    bool hidden() const { return hidden_; }
    const Action& action() const { return action_; }
    const Command* parent() const { return parent_; }
    // "alerts rules", without the program's name.
    std::string path() const;
    const std::deque<Option>& all_options() const { return options_; }
    const std::vector<std::unique_ptr<Command>>& commands() const { return commands_; }
    // Null when there is none of that name.
    const Command* find(std::string_view name) const;
    // The option with this switch ("-o", "--output"); null when there is none.
    const Option* find_option(std::string_view word) const;
    // Of the commands within it that are in its help.
    std::vector<std::string_view> command_names() const;

    // "a, b or c".
    static std::string listed(const std::vector<std::string>& words);

  private:
    template <typename T>
    static constexpr std::uint64_t largest() {
        constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<T>::max());
        return std::min(kMost,
                        static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
    }
    Option& add_option(std::string names, std::string placeholder, std::string help);
    Option& number(std::string names, std::string placeholder, std::string help, std::uint64_t most,
                   std::function<void(std::uint64_t)> set);
    void add_common_options();

    std::string name_, summary_, footer_, section_, section_of_;
    Context& context_;
    const Command* parent_ = nullptr;
    bool hidden_ = false, raw_words_ = false, reads_input_ = false;
    Action action_;
    std::deque<Option> options_;
    std::vector<std::unique_ptr<Command>> commands_;
    std::vector<std::shared_ptr<void>> kept_;
};

// Names the nearest of its commands, where one is near.
Error unknown_command(const Command& command, const std::string& word);

}  // namespace snakepit::shm::cli
