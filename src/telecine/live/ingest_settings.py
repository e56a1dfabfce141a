"""The settings of the process that encoders come to; a part of `telecine.settings`."""

from pathlib import Path

from pydantic import BaseModel, Field, SecretStr, field_validator

from telecine.live.nodes import split_address


class IngestSettings(BaseModel):
    """The ports that encoders and other nodes come to, what they are protected by, and the end."""

    rtmp_port: int = Field(1935, ge=0, le=65535, description="Port for RTMP; 0 takes a free one.")
    rtmps_port: int = Field(1936, ge=0, le=65535, description="Port for RTMPS, likewise.")
    rtmps_certificate: Path | None = Field(
        default=None,
        description="PEM file with the certificate of RTMPS and its chain, read again when it "
        "changes; empty: self-signed, made at first start.",
    )
    rtmps_key: Path | None = Field(None, description="PEM file with that certificate's key.")
    srt_port: int = Field(6200, ge=0, le=65535, description="UDP port for SRT, likewise.")
    srt_passphrase: SecretStr | None = Field(
        default=None,
        min_length=10,
        max_length=79,
        description="What encoders must encrypt with that publish by SRT: 10 to 79 characters; "
        "empty: they must not encrypt.",
    )
    live_node_address: str = Field(
        default="",
        description="Address of this machine, such as 10.0.0.5:1937, under which other nodes get "
        "the live streams that encoders publish here, for their viewers, and to which they hand on "
        "what encoders send of them there; empty: they do not.",
    )
    live_end_on_stop: bool = Field(
        default=False,
        description="Whether live events end when the program is ended, for machines that are not "
        "back; else they wait for its next start, as long as for their encoders.",
    )

    @field_validator("live_node_address", mode="after")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        if value:
            split_address(value)
        return value
