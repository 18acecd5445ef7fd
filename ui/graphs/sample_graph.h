// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QTimer>
#include <string>
#include <vector>

#include "layout/registry_layout.h"
#include "ui/graphs/graph_panel.h"
#include "ui/graphs/recorded_lines.h"
#include "ui/models/background.h"
#include "ui/models/sources.h"

namespace snakepit::shm::ui {

// A graph of sampled metrics: live from the samples of the registry, and from the database for all
// time before them that is seen, in a resolution that suits the view. Drawn while it is seen.
class SampleGraph : public GraphPanel {
    Q_OBJECT
  public:
    SampleGraph(Workspace& workspace, QWidget* parent);

  Q_SIGNALS:
    void loaded();  // what is recorded of the time that is seen

  protected:
    void showEvent(QShowEvent* event) override;
    virtual void draw(const layout::Sample& sample) = 0;
    // The metric of each line, and what its values are multiplied by.
    virtual std::vector<std::string> metrics() const = 0;
    virtual double scale() const { return 1; }
    virtual bool zero_is_nothing() const { return false; }  // there was nothing to measure
    void draw_new();
    void begin_again();

  private:
    struct Loaded {
        double from = 0, to = 0, size = 0;  // size: of the view it was loaded for
        std::vector<RecordedLine> lines;
        std::vector<double> restarts;
    };
    struct View {
        double from = 0, to = 0, size = 0;
    };
    void show_moment();
    void leave_gap(const layout::Sample& sample);
    double live_from() const;  // samples are in memory from there on
    void load();
    void receive(const View& view, Result<std::vector<std::vector<MetricPoint>>> lists);
    void ask_alerts();
    void show_marks();
    void rebuild();

    Workspace& workspace_;
    std::uint64_t last_ = 0;      // number of the newest sample drawn
    std::int64_t last_time_ = 0;  // when it was taken
    Loaded recorded_;
    std::vector<Alert> alerts_;
    bool alerts_asked_ = false;
    Latest latest_;
    QTimer load_soon_;
};

}  // namespace snakepit::shm::ui
