"""Chapters of videos."""

from sqlalchemy import Index

from telecine.db.engine import Base
from telecine.domains.captions.models import TextTrack


class Chapter(TextTrack, Base):
    """The titles of the parts of a video; each cue is one."""

    __tablename__ = "chapter"
    __table_args__ = (Index("ix_chapter_project_id", "project_id"),)
