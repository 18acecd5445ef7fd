// SPDX-License-Identifier: MIT
// Aligned tables that fit the terminal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace snakepit::shm::cli {

// What a text means; shown as a color where colors are used.
enum class Tone : std::uint8_t { plain, title, good, warning, bad, dim };

struct Toned {
    std::string text;
    Tone tone = Tone::plain;

    // Cells are written as texts, hence the conversions.
    Toned(std::string words, Tone its_tone = Tone::plain)  // NOLINT
        : text(std::move(words)), tone(its_tone) {}
    Toned(std::string_view words, Tone its_tone = Tone::plain)
        : text(words), tone(its_tone) {}  // NOLINT
    Toned(const char* words, Tone its_tone = Tone::plain)
        : text(words), tone(its_tone) {}  // NOLINT
};

// Columns as wide as their widest cell. A title that ends in '>' aligns its column to the right;
// one that ends in '#' is of region ids, which are shortened to their end where the terminal is
// narrow; one that ends in '!' is never cut. Without titles ("") there is no title line.
class Table {
  public:
    explicit Table(std::vector<std::string> titles);
    // These take the titles without their marks. The column is cut to `least` terminal columns and
    // not further; and where cutting is not enough, columns are left out, the first of `titles`
    // first.
    void keep_at_least(std::string_view title, std::size_t least);
    void may_leave_out(std::vector<std::string> titles) { dispensable_ = std::move(titles); }
    void add(std::vector<Toned> cells);
    // Lines that end in a line feed; what others chose is sanitized. `width`: columns of the
    // terminal, 0 for no limit. Where they are too few, ids are shortened, the last column is
    // wrapped between words, and then the widest others are cut, or left out.
    std::string str(std::size_t width = 0, bool color = false) const;

  private:
    static constexpr std::size_t kLeastCut = 8;
    struct Column {
        std::string title;
        bool right = false, ids = false;
        std::size_t least = kLeastCut, width = 0;
    };
    static std::size_t total(const std::vector<Column>& columns);
    static std::size_t cuttable(const Column& column);  // its width, 0 if it is not cut any more
    std::vector<Column> measured() const;
    void shorten_ids(std::vector<Column>& columns);
    std::vector<Column>::iterator column_of(std::string_view title);
    void leave_out(std::string_view title);
    static void fit(std::vector<Column>& columns, std::size_t width);
    static std::string line(const std::vector<Column>& columns, const std::vector<Toned>& cells,
                            std::size_t width, bool color);

    std::vector<Column> columns_;
    std::vector<std::vector<Toned>> rows_;
    std::vector<std::string> dispensable_;
};

// `text` sanitized and, with `color`, between the codes for its tone.
std::string toned(std::string_view text, Tone tone, bool color);

}  // namespace snakepit::shm::cli
