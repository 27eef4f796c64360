"""Addresses of objects in our own store that the job's user must not read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

    from mashup_worker.worker.inputs import JobInputs

FOREIGN = (
    "inputs/{victim}/a.wav",
    "/inputs/{victim}/a.wav",
    "./inputs/{victim}/a.wav",
    "inputs/{me}/../{victim}/a.wav",
    "inputs/{me}/./../{victim}/a.wav",
    "inputs/{me}/%2e%2e/{victim}/a.wav",
    "inputs/{me}/..%2f{victim}/a.wav",
    "inputs/{me}/..\\{victim}\\a.wav",
    "inputs/{me}\\..\\{victim}\\a.wav",
    "inputs\\{victim}\\a.wav",
    "inputs//{victim}/a.wav",
    "inputs/{me}//..//../{victim}/a.wav",
    "jobs//{job}/1/a.wav",
    "inputs/{me}/..\n/{victim}/a.wav",
    "inputs/{me}//../{victim}/a.wav",
    "inputs/{me}*/../{victim}/a.wav",
    "INPUTS/{victim}/a.wav",
    "public/../inputs/{victim}/a.wav",
    "jobs/{job}/1/a.wav",
    "jobs/{job}/1/../1/a.wav",
    "inputs/{me}/../../jobs/{job}/1/a.wav",
    "s3://{bucket}/inputs/{victim}/a.wav",
    "s3://{bucket}/inputs/{me}/../{victim}/a.wav",
    "s3://{bucket}//inputs/{victim}/a.wav",
    "s3://{bucket}/jobs/{job}/1/a.wav",
    "s3://{bucket}.elsewhere/inputs/{victim}/a.wav",
    "s3://elsewhere/inputs/{me}/a.wav",
    "s3:///{bucket}/inputs/{victim}/a.wav",
    "S3://{bucket}/inputs/{victim}/a.wav",
    "{endpoint}/{bucket}/inputs/{victim}/a.wav",
    "{endpoint}/{bucket}/inputs/{me}/../{victim}/a.wav",
    "{endpoint}/{bucket}/inputs/{me}/%2e%2e/{victim}/a.wav",
    "{endpoint}/{bucket}/inputs/{me}/%2E%2E%2F{victim}/a.wav",
    "{endpoint}/{bucket}/inputs/{me}/%252e%252e/{victim}/a.wav",
    "{endpoint}/{bucket}/../{bucket}/inputs/{victim}/a.wav",
    "{endpoint}/{bucket}/jobs/{job}/1/a.wav",
    "{endpoint}/elsewhere/inputs/{me}/a.wav",
    "file:///inputs/{victim}/a.wav",
    "file://inputs/{victim}/a.wav",
)


@dataclass(frozen=True)
class SharedStore:
    """Store and database with objects and jobs of two users, and the inputs of one user's job."""

    inputs: JobInputs
    endpoint: str
    bucket: str
    me: UUID
    victim: UUID
    job: UUID

    def address(self, given: str) -> str:
        """Return an address with the ids filled in."""
        values = {name: value for name, value in vars(self).items() if name != "inputs"}
        return given.format(**values)

    def delete_victim(self) -> None:
        """Delete everything of the victim from store and database."""
        self.inputs.storage.delete([f"inputs/{self.victim}/a.wav", f"jobs/{self.job}/1/a.wav"])
        with self.inputs.database.transaction() as connection:
            connection.execute("DELETE FROM ai_jobs WHERE id = %s", [self.job])
            connection.execute("DELETE FROM profiles WHERE id = %s", [self.victim])
