// SPDX-License-Identifier: MIT
// What the terminal monitor knows and what of it is shown. Touches no terminal, file or clock.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "top/figures.h"
#include "top/programs.h"
#include "top/region_rows.h"
#include "top/snapshot.h"

namespace snakepit::shm::cli {

enum class View : std::uint8_t { regions, programs, alerts, locks };
inline constexpr std::size_t kViews = 4;

// What lies over the table.
struct Overlay {
    enum class Kind : std::uint8_t { none, help, region, program, alert };
    Kind kind = Kind::none;
    RegionInfo region;  // as it was last seen
    bool region_gone = false;
    std::int64_t pid = 0;
    std::uint64_t alert = 0;
    std::size_t scroll = 0;  // lines
};

struct Note {
    std::string text;
    bool bad = false;
};

class Model {
  public:
    explicit Model(std::string instance) : instance_(std::move(instance)) {}

    void take(Snapshot snapshot);
    void take(PollResults results);
    // False: the person wants to leave.
    bool key(const KeyPress& press);
    PollRequest poll_request() const;
    // The number of the alert that is to be acknowledged; once.
    std::optional<std::uint64_t> take_acknowledgement();
    std::chrono::milliseconds interval() const;
    bool paused() const { return paused_; }

    // For views.
    const std::string& instance() const { return instance_; }
    const Snapshot& snapshot() const { return snapshot_; }
    Timestamp at() const { return snapshot_.at; }
    // No heartbeat of the manager for some seconds.
    bool silent() const;
    const Figures& figures() const { return figures_; }
    const RegionRows& regions() const { return regions_; }
    const PollResults& results() const { return results_; }
    const Alert* alert(std::uint64_t id) const;

    View view() const { return view_; }
    const Sorting& sorting() const { return sorting_; }
    Cursor& cursor() { return cursors_[static_cast<std::size_t>(view_)]; }
    Overlay& overlay() { return overlay_; }
    const std::optional<std::string>& typed_filter() const { return typed_; }
    const std::optional<Error>& filter_error() const { return filter_error_; }
    const std::optional<std::string>& question() const { return question_; }
    const Note& note() const { return note_; }

  private:
    bool key_in_table(const KeyPress& press);
    bool character_in_table(char32_t code);
    void key_in_filter(const KeyPress& press);
    bool scroll(KeyPress::Kind kind);
    void key_in_overlay(const KeyPress& press);
    void answer_question(const KeyPress& press);
    void type_filter(std::string text);
    void escape();
    void open_chosen();
    void turn_view(int by);
    void show_view(View view);
    void change_interval(int by);
    void show_command(std::string_view words);
    void ask_acknowledgement();
    std::optional<RegionId> chosen_region() const;

    std::string instance_;
    Snapshot snapshot_;
    Figures figures_;
    RegionRows regions_;
    PollResults results_;

    View view_ = View::regions;
    Sorting sorting_;
    Cursor cursors_[kViews];
    Overlay overlay_;
    std::optional<std::string> typed_;  // the filter line while it is open
    std::optional<Error> filter_error_;
    std::optional<std::string> question_;  // waits for y or n
    std::uint64_t asked_alert_ = 0, acknowledge_ = 0;
    Timestamp acknowledged_at_;
    Note note_;
    std::size_t interval_ = 2;  // index into the steps
    bool paused_ = false;
};

}  // namespace snakepit::shm::cli
