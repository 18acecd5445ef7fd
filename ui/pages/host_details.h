// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QFrame>
#include <vector>

#include "survey/host_survey.h"

class QFormLayout;
class QLabel;
class QVBoxLayout;

namespace snakepit::shm::ui {

class Workspace;

// Everything about one segment of the host: the verdict and what it rests on, who uses it, and the
// facts.
class HostDetails : public QFrame {
    Q_OBJECT
  public:
    explicit HostDetails(const Workspace& workspace, QWidget* parent = nullptr);
    void show_segment(const HostSegment* segment);  // null: none is selected
    void show_hint(const QString& text);

  private:
    void build_head(QVBoxLayout* column);
    void build_facts(QVBoxLayout* column);
    void show_facts(const HostSegment& segment);

    const Workspace& workspace_;
    QLabel* hint_;
    QWidget* content_;
    QLabel *verdict_, *confidence_, *kind_;
    QLabel *name_, *program_, *evidence_, *users_, *command_;
    QWidget *command_title_, *command_line_;
    std::vector<QLabel*> facts_;
};

}  // namespace snakepit::shm::ui
