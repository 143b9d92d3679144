BEGIN TRANSACTION;
CREATE TABLE acceptance (
	model_version TEXT NOT NULL, 
	precision FLOAT NOT NULL, 
	confidence FLOAT NOT NULL, 
	thresholds JSON NOT NULL, 
	audited INTEGER NOT NULL, 
	pool_size INTEGER NOT NULL, 
	accepted_at DATETIME NOT NULL, 
	CONSTRAINT pk_acceptance PRIMARY KEY (model_version), 
	CONSTRAINT fk_acceptance_model_version FOREIGN KEY(model_version) REFERENCES model (version)
);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0005');
CREATE TABLE audit (
	project_id INTEGER NOT NULL, 
	detection_id TEXT NOT NULL, 
	asked BOOLEAN NOT NULL, 
	drawn_at DATETIME NOT NULL, 
	CONSTRAINT pk_audit PRIMARY KEY (project_id, detection_id), 
	CONSTRAINT fk_audit_project_id FOREIGN KEY(project_id) REFERENCES project (id), 
	CONSTRAINT fk_audit_detection_id FOREIGN KEY(detection_id) REFERENCES detection (id)
);
INSERT INTO "audit" VALUES(4,'d0031',1,'2026-11-26 11:16:48.072316');
INSERT INTO "audit" VALUES(4,'d0030',1,'2026-11-26 11:16:48.072316');
INSERT INTO "audit" VALUES(4,'d0003',1,'2026-11-26 11:16:48.072316');
INSERT INTO "audit" VALUES(4,'d0004',1,'2026-11-26 11:16:48.072316');
INSERT INTO "audit" VALUES(4,'d0032',0,'2026-11-26 11:16:50.151622');
CREATE TABLE category (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	abbr VARCHAR(2), merged_into INTEGER CONSTRAINT fk_category_merged_into REFERENCES category (id), 
	CONSTRAINT pk_category PRIMARY KEY (id), 
	CONSTRAINT uq_category_name UNIQUE (name)
);
INSERT INTO "category" VALUES(0,'empty',NULL,NULL);
INSERT INTO "category" VALUES(1,'deer',NULL,NULL);
INSERT INTO "category" VALUES(2,'fox',NULL,NULL);
INSERT INTO "category" VALUES(3,'boar',NULL,NULL);
CREATE TABLE deployment (
	id TEXT NOT NULL, 
	location TEXT NOT NULL, 
	latitude FLOAT, 
	longitude FLOAT, 
	timezone TEXT, 
	started_at DATETIME, 
	ended_at DATETIME, source TEXT, details JSON, 
	CONSTRAINT pk_deployment PRIMARY KEY (id)
);
CREATE TABLE detection (
	id TEXT NOT NULL, 
	image_id TEXT NOT NULL, 
	kind INTEGER NOT NULL, 
	category_id INTEGER, 
	category_confidence FLOAT, 
	bbox_confidence FLOAT, 
	"bbox_X1" FLOAT NOT NULL, 
	"bbox_Y1" FLOAT NOT NULL, 
	"bbox_X2" FLOAT NOT NULL, 
	"bbox_Y2" FLOAT NOT NULL, 
	detector TEXT NOT NULL, 
	detector_category TEXT NOT NULL, 
	crop_path TEXT, 
	frame_path TEXT, 
	CONSTRAINT pk_detection PRIMARY KEY (id), 
	CONSTRAINT fk_detection_category_id FOREIGN KEY(category_id) REFERENCES category (id), 
	CONSTRAINT fk_detection_image_id FOREIGN KEY(image_id) REFERENCES image (id)
);
INSERT INTO "detection" VALUES('d0000','i0',0,NULL,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0000.jpg',NULL);
INSERT INTO "detection" VALUES('d0001','i1',3,1,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0001.jpg',NULL);
INSERT INTO "detection" VALUES('d0002','i2',3,1,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0002.jpg',NULL);
INSERT INTO "detection" VALUES('d0003','i3',3,2,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0003.jpg',NULL);
INSERT INTO "detection" VALUES('d0004','i4',3,2,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0004.jpg',NULL);
INSERT INTO "detection" VALUES('d0005','i5',3,2,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0005.jpg',NULL);
INSERT INTO "detection" VALUES('d0006','i6',3,3,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0006.jpg',NULL);
INSERT INTO "detection" VALUES('d0007','i7',3,3,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0007.jpg',NULL);
INSERT INTO "detection" VALUES('d0008','i8',3,3,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0008.jpg',NULL);
INSERT INTO "detection" VALUES('d0009','i9',3,1,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0009.jpg',NULL);
INSERT INTO "detection" VALUES('d0010','i10',3,1,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0010.jpg',NULL);
INSERT INTO "detection" VALUES('d0011','i11',3,1,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0011.jpg',NULL);
INSERT INTO "detection" VALUES('d0012','i12',3,2,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0012.jpg',NULL);
INSERT INTO "detection" VALUES('d0013','i13',3,2,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0013.jpg',NULL);
INSERT INTO "detection" VALUES('d0014','i14',3,2,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0014.jpg',NULL);
INSERT INTO "detection" VALUES('d0015','i15',3,3,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0015.jpg',NULL);
INSERT INTO "detection" VALUES('d0016','i16',3,3,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0016.jpg',NULL);
INSERT INTO "detection" VALUES('d0017','i17',3,3,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0017.jpg',NULL);
INSERT INTO "detection" VALUES('d0018','i18',3,1,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0018.jpg',NULL);
INSERT INTO "detection" VALUES('d0019','i19',3,1,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0019.jpg',NULL);
INSERT INTO "detection" VALUES('d0020','i20',3,1,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0020.jpg',NULL);
INSERT INTO "detection" VALUES('d0021','i21',3,2,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0021.jpg',NULL);
INSERT INTO "detection" VALUES('d0022','i22',3,2,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0022.jpg',NULL);
INSERT INTO "detection" VALUES('d0023','i23',3,2,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0023.jpg',NULL);
INSERT INTO "detection" VALUES('d0024','i24',0,NULL,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0024.jpg',NULL);
INSERT INTO "detection" VALUES('d0025','i25',3,NULL,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0025.jpg',NULL);
INSERT INTO "detection" VALUES('d0026','i26',0,NULL,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0026.jpg',NULL);
INSERT INTO "detection" VALUES('d0027','i27',0,NULL,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0027.jpg',NULL);
INSERT INTO "detection" VALUES('d0028','i28',0,NULL,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0028.jpg',NULL);
INSERT INTO "detection" VALUES('d0029','i29',0,NULL,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0029.jpg',NULL);
INSERT INTO "detection" VALUES('d0030','i30',0,NULL,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0030.jpg',NULL);
INSERT INTO "detection" VALUES('d0031','i31',0,NULL,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0031.jpg',NULL);
INSERT INTO "detection" VALUES('d0032','i32',0,NULL,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0032.jpg',NULL);
INSERT INTO "detection" VALUES('d0033','i33',0,NULL,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0033.jpg',NULL);
INSERT INTO "detection" VALUES('d0034','i34',0,NULL,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0034.jpg',NULL);
INSERT INTO "detection" VALUES('d0035','i35',0,NULL,NULL,0.9,0.1,0.1,0.5,0.5,'test','animal','crops/d0035.jpg',NULL);
CREATE TABLE embedder (
	id TEXT NOT NULL, 
	dimension INTEGER NOT NULL, 
	manifest JSON NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_embedder PRIMARY KEY (id)
);
INSERT INTO "embedder" VALUES('made-up',8,'{"spec": "made-up"}','2026-11-26 11:16:48.004318');
CREATE TABLE embedding (
	seq INTEGER NOT NULL, 
	detection_id TEXT NOT NULL, 
	embedder TEXT NOT NULL, 
	vector BLOB NOT NULL, 
	CONSTRAINT pk_embedding PRIMARY KEY (seq), 
	CONSTRAINT fk_embedding_detection_id FOREIGN KEY(detection_id) REFERENCES detection (id), 
	CONSTRAINT fk_embedding_embedder FOREIGN KEY(embedder) REFERENCES embedder (id), 
	CONSTRAINT uq_embedding_detection_id_embedder UNIQUE (detection_id, embedder)
);
INSERT INTO "embedding" VALUES(1,'d0000','made-up',X'40423AB02039B72E49B8C935373D943B');
INSERT INTO "embedding" VALUES(2,'d0001','made-up',X'984010BDFCB84A29A6C000B3FCBCDCB9');
INSERT INTO "embedding" VALUES(3,'d0002','made-up',X'E94010B596362C3C1DB0773D52B9A035');
INSERT INTO "embedding" VALUES(4,'d0003','made-up',X'3A3B3042F3B960BB53B70C330ABCB2B2');
INSERT INTO "embedding" VALUES(5,'d0004','made-up',X'18B11543DE32B0353BB926B0463AF93D');
INSERT INTO "embedding" VALUES(6,'d0005','made-up',X'09BD8444623D403A3B3406B5D53DD73F');
INSERT INTO "embedding" VALUES(7,'d0006','made-up',X'353F433DB742D5BC909C403927BD5236');
INSERT INTO "embedding" VALUES(8,'d0007','made-up',X'E1369139433F4BB9FCB6AEBCF53EEFB7');
INSERT INTO "embedding" VALUES(9,'d0008','made-up',X'433523B49544483D113968C0A92A7839');
INSERT INTO "embedding" VALUES(10,'d0009','made-up',X'0144F1B84A3F48BD4BB97B3B472A0140');
INSERT INTO "embedding" VALUES(11,'d0010','made-up',X'614211B90BB65DBC1CBD0B39A6382E3D');
INSERT INTO "embedding" VALUES(12,'d0011','made-up',X'7E40C23E99B44C3EEDB6E2B9FE33203C');
INSERT INTO "embedding" VALUES(13,'d0012','made-up',X'2731D4405DBD9BBD0538EB3B42B14CBC');
INSERT INTO "embedding" VALUES(14,'d0013','made-up',X'FC3AE13EB4B9F83880C02F36A7B8FE2E');
INSERT INTO "embedding" VALUES(15,'d0014','made-up',X'D8AC67428E3911BAAF3DCF39C03AA93C');
INSERT INTO "embedding" VALUES(16,'d0015','made-up',X'4D3AC13A2742B5BD52B028BAB1BD2334');
INSERT INTO "embedding" VALUES(17,'d0016','made-up',X'8CB81FBCD43F4B34BD354A3D20A32B3C');
INSERT INTO "embedding" VALUES(18,'d0017','made-up',X'9C3D9A3C1439EA3C6F35C836F1352036');
INSERT INTO "embedding" VALUES(19,'d0018','made-up',X'A442BEB59BBFF8AE6EBA523C9FB4582D');
INSERT INTO "embedding" VALUES(20,'d0019','made-up',X'4D4016B8E8A1F1BDD034CAAEBEBCCCC0');
INSERT INTO "embedding" VALUES(21,'d0020','made-up',X'0743C3B43DB88FB3443F60AA8B2DF3BD');
INSERT INTO "embedding" VALUES(22,'d0021','made-up',X'973ED643453C1A2A553BEF35E838DFB0');
INSERT INTO "embedding" VALUES(23,'d0022','made-up',X'E5BD0744BDBFAEB38BB22CBCE83869B2');
INSERT INTO "embedding" VALUES(24,'d0023','made-up',X'FDB60A43A0B78E3DA03597B7C7BF3BBD');
INSERT INTO "embedding" VALUES(25,'d0024','made-up',X'593C7AAA6F41933E21BDAFB890B7B138');
INSERT INTO "embedding" VALUES(26,'d0025','made-up',X'4FB9E8B8943DD639733A9FB73A312CBD');
INSERT INTO "embedding" VALUES(27,'d0026','made-up',X'8DB7833D45429F404CBAA43842B28738');
INSERT INTO "embedding" VALUES(28,'d0027','made-up',X'FC417DB8F1BA2242F3AC09C030B96D39');
INSERT INTO "embedding" VALUES(29,'d0028','made-up',X'0041713D023CE0B08EB705BC9AB9E4BD');
INSERT INTO "embedding" VALUES(30,'d0029','made-up',X'34445D3E06BDBABC13BFB6BB36C292BC');
INSERT INTO "embedding" VALUES(31,'d0030','made-up',X'303D4F41D63AD3B70B3F60321DB61B41');
INSERT INTO "embedding" VALUES(32,'d0031','made-up',X'31B51D3F7632F9A8443C60BB703AD23A');
INSERT INTO "embedding" VALUES(33,'d0032','made-up',X'57B95442A5BAB140A2B940B743BC8AB5');
INSERT INTO "embedding" VALUES(34,'d0033','made-up',X'049E243AC740F2B1AABD9FBA83412A3C');
INSERT INTO "embedding" VALUES(35,'d0034','made-up',X'40BA59BD0D408EA57228F4B925BDB13D');
INSERT INTO "embedding" VALUES(36,'d0035','made-up',X'3A37FEB58F413CB8DFC1672F48BC03BC');
CREATE TABLE image (
	id TEXT NOT NULL, 
	file_name TEXT NOT NULL, 
	width INTEGER, 
	height INTEGER, 
	location TEXT, 
	datetime DATETIME, 
	frame_num INTEGER, 
	seq_id TEXT, 
	seq_num_frames INTEGER, 
	deployment_id TEXT, 
	path TEXT NOT NULL, 
	content_hash TEXT, 
	size BIGINT, 
	mtime DOUBLE, 
	failure TEXT, 
	failure_detail TEXT, 
	imported_at DATETIME NOT NULL, role TEXT DEFAULT 'target' NOT NULL, source_id TEXT, defect TEXT, video TEXT, video_frame INTEGER, video_frame_rate FLOAT, source TEXT, details JSON, 
	CONSTRAINT pk_image PRIMARY KEY (id), 
	CONSTRAINT fk_image_deployment_id FOREIGN KEY(deployment_id) REFERENCES deployment (id)
);
INSERT INTO "image" VALUES('i0','0.jpg',NULL,NULL,'site 0',NULL,NULL,'sequence 0',NULL,NULL,'0.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i1','1.jpg',NULL,NULL,'site 0',NULL,NULL,'sequence 0',NULL,NULL,'1.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i2','2.jpg',NULL,NULL,'site 0',NULL,NULL,'sequence 0',NULL,NULL,'2.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i3','3.jpg',NULL,NULL,'site 1',NULL,NULL,'sequence 1',NULL,NULL,'3.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i4','4.jpg',NULL,NULL,'site 1',NULL,NULL,'sequence 1',NULL,NULL,'4.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i5','5.jpg',NULL,NULL,'site 1',NULL,NULL,'sequence 1',NULL,NULL,'5.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i6','6.jpg',NULL,NULL,'site 2',NULL,NULL,'sequence 2',NULL,NULL,'6.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i7','7.jpg',NULL,NULL,'site 2',NULL,NULL,'sequence 2',NULL,NULL,'7.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i8','8.jpg',NULL,NULL,'site 2',NULL,NULL,'sequence 2',NULL,NULL,'8.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i9','9.jpg',NULL,NULL,'site 3',NULL,NULL,'sequence 3',NULL,NULL,'9.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i10','10.jpg',NULL,NULL,'site 3',NULL,NULL,'sequence 3',NULL,NULL,'10.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i11','11.jpg',NULL,NULL,'site 3',NULL,NULL,'sequence 3',NULL,NULL,'11.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i12','12.jpg',NULL,NULL,'site 0',NULL,NULL,'sequence 4',NULL,NULL,'12.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i13','13.jpg',NULL,NULL,'site 0',NULL,NULL,'sequence 4',NULL,NULL,'13.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i14','14.jpg',NULL,NULL,'site 0',NULL,NULL,'sequence 4',NULL,NULL,'14.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i15','15.jpg',NULL,NULL,'site 1',NULL,NULL,'sequence 5',NULL,NULL,'15.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i16','16.jpg',NULL,NULL,'site 1',NULL,NULL,'sequence 5',NULL,NULL,'16.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i17','17.jpg',NULL,NULL,'site 1',NULL,NULL,'sequence 5',NULL,NULL,'17.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i18','18.jpg',NULL,NULL,'site 2',NULL,NULL,'sequence 6',NULL,NULL,'18.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i19','19.jpg',NULL,NULL,'site 2',NULL,NULL,'sequence 6',NULL,NULL,'19.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i20','20.jpg',NULL,NULL,'site 2',NULL,NULL,'sequence 6',NULL,NULL,'20.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i21','21.jpg',NULL,NULL,'site 3',NULL,NULL,'sequence 7',NULL,NULL,'21.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i22','22.jpg',NULL,NULL,'site 3',NULL,NULL,'sequence 7',NULL,NULL,'22.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i23','23.jpg',NULL,NULL,'site 3',NULL,NULL,'sequence 7',NULL,NULL,'23.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i24','24.jpg',NULL,NULL,'site 0',NULL,NULL,'sequence 8',NULL,NULL,'24.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i25','25.jpg',NULL,NULL,'site 0',NULL,NULL,'sequence 8',NULL,NULL,'25.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i26','26.jpg',NULL,NULL,'site 0',NULL,NULL,'sequence 8',NULL,NULL,'26.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i27','27.jpg',NULL,NULL,'site 1',NULL,NULL,'sequence 9',NULL,NULL,'27.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i28','28.jpg',NULL,NULL,'site 1',NULL,NULL,'sequence 9',NULL,NULL,'28.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i29','29.jpg',NULL,NULL,'site 1',NULL,NULL,'sequence 9',NULL,NULL,'29.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i30','30.jpg',NULL,NULL,'site 2',NULL,NULL,'sequence 10',NULL,NULL,'30.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i31','31.jpg',NULL,NULL,'site 2',NULL,NULL,'sequence 10',NULL,NULL,'31.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i32','32.jpg',NULL,NULL,'site 2',NULL,NULL,'sequence 10',NULL,NULL,'32.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i33','33.jpg',NULL,NULL,'site 3',NULL,NULL,'sequence 11',NULL,NULL,'33.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i34','34.jpg',NULL,NULL,'site 3',NULL,NULL,'sequence 11',NULL,NULL,'34.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES('i35','35.jpg',NULL,NULL,'site 3',NULL,NULL,'sequence 11',NULL,NULL,'35.jpg',NULL,NULL,NULL,NULL,NULL,'2026-11-26 11:16:48.001589','target',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE image_label (
	id TEXT NOT NULL, 
	image_id TEXT NOT NULL, 
	source TEXT NOT NULL, 
	level TEXT NOT NULL, 
	category_id INTEGER, 
	"key" TEXT NOT NULL, 
	weak BOOLEAN NOT NULL, 
	confidence FLOAT, 
	annotator TEXT, 
	annotated_at DATETIME, 
	count INTEGER, 
	details JSON, 
	CONSTRAINT pk_image_label PRIMARY KEY (id), 
	CONSTRAINT fk_image_label_image_id FOREIGN KEY(image_id) REFERENCES image (id), 
	CONSTRAINT fk_image_label_category_id FOREIGN KEY(category_id) REFERENCES category (id)
);
CREATE TABLE model (
	version TEXT NOT NULL, 
	project_id INTEGER NOT NULL, 
	embedder TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	labels INTEGER NOT NULL, 
	path TEXT, 
	parent TEXT, 
	metrics JSON NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_model PRIMARY KEY (version), 
	CONSTRAINT fk_model_project_id FOREIGN KEY(project_id) REFERENCES project (id), 
	CONSTRAINT uq_model_project_id_digest UNIQUE (project_id, digest)
);
INSERT INTO "model" VALUES('v1-c5e653fd',4,'made-up','c5e653fdb2a26ad56783a48b',21,'models/4/v1-c5e653fd',NULL,'{"labels": 21, "held_out_by": "location", "groups": 4, "folds": 4, "accuracy": 0.8095238095238095, "accuracy_low": 0.57200856711831, "accuracy_high": 0.9311049184960197, "macro_f1": 0.8134920634920636, "log_loss": 0.33074572520507944, "ece": 0.16733205034619286, "unknown": 0, "classes": {"deer": {"labels": 8, "recall": 0.75, "precision": 0.75}, "fox": {"labels": 7, "recall": 0.8571428571428571, "precision": 0.8571428571428571}, "boar": {"labels": 6, "recall": 0.8333333333333334, "precision": 0.8333333333333334}}, "labels_known": 23, "oracle_known": 27, "audit_known": 2, "pool": 36, "embedder_learned": false, "audit": {"rows": 2, "confidence": 0.95, "accuracy": {"value": 1.0, "low": 0.025000000000000022, "high": 1.0, "size": 1.0}, "macro_recall": {"value": 1.0, "low": 0.025000000000000022, "high": 1.0, "size": 1.0}, "classes": {"fox": {"labels": 2, "precision": {"value": 1.0, "low": 0.025000000000000022, "high": 1.0, "size": 1.0}, "recall": {"value": 1.0, "low": 0.025000000000000022, "high": 1.0, "size": 1.0}, "said": 2}}, "forecast": null}}','2026-11-26 11:16:50.131249');
CREATE TABLE oracle (
	id INTEGER NOT NULL, 
	detection_id TEXT NOT NULL, 
	label INTEGER, 
	project_id INTEGER, 
	annotation_uid TEXT NOT NULL, 
	revision INTEGER NOT NULL, 
	annotation_id BIGINT, 
	task_id BIGINT, 
	verdict TEXT NOT NULL, 
	annotator TEXT, 
	annotated_at DATETIME NOT NULL, 
	recorded_at DATETIME NOT NULL, 
	lead_time FLOAT, 
	ground_truth BOOLEAN NOT NULL, 
	model_version TEXT, 
	shown INTEGER, 
	source TEXT NOT NULL, 
	result JSON, confidence FLOAT, 
	CONSTRAINT pk_oracle PRIMARY KEY (id), 
	CONSTRAINT fk_oracle_detection_id FOREIGN KEY(detection_id) REFERENCES detection (id), 
	CONSTRAINT fk_oracle_label FOREIGN KEY(label) REFERENCES category (id), 
	CONSTRAINT fk_oracle_shown FOREIGN KEY(shown) REFERENCES category (id), 
	CONSTRAINT uq_oracle_annotation_uid_revision UNIQUE (annotation_uid, revision)
);
INSERT INTO "oracle" VALUES(1,'d0000',1,4,'79f2a05b-89f6-4086-b7c7-df3b33673a2a',1,1,1,'label','1','2024-05-01 12:01:40.000000','2026-11-26 11:16:48.056832',1.5,0,NULL,NULL,'label-studio','[{"from_name": "species", "to_name": "crop", "type": "choices", "value": {"choices": ["deer"]}}]',NULL);
INSERT INTO "oracle" VALUES(2,'d0001',1,4,'69a7c776-f85b-4ed8-b622-47aee982e44b',1,2,2,'label','1','2024-05-01 12:03:20.000000','2026-11-26 11:16:48.056832',1.5,0,NULL,NULL,'label-studio','[{"from_name": "species", "to_name": "crop", "type": "choices", "value": {"choices": ["deer"]}}]',NULL);
INSERT INTO "oracle" VALUES(3,'d0002',1,4,'585205c0-a8cf-43b2-b1ca-261cb01fc996',1,3,3,'label','1','2024-05-01 12:05:00.000000','2026-11-26 11:16:48.056832',1.5,0,NULL,NULL,'label-studio','[{"from_name": "species", "to_name": "crop", "type": "choices", "value": {"choices": ["deer"]}}]',NULL);
INSERT INTO "oracle" VALUES(4,'d0003',2,4,'8b784e2d-7164-4cf7-8046-e075682aecd9',1,4,4,'label','1','2024-05-01 12:06:40.000000','2026-11-26 11:16:48.056832',1.5,0,NULL,NULL,'label-studio','[{"from_name": "species", "to_name": "crop", "type": "choices", "value": {"choices": ["fox"]}}]',NULL);
INSERT INTO "oracle" VALUES(5,'d0004',2,4,'90e1b071-10a2-439f-8766-3bc4ed1b4ed1',1,5,5,'label','1','2024-05-01 12:08:20.000000','2026-11-26 11:16:48.056832',1.5,0,NULL,NULL,'label-studio','[{"from_name": "species", "to_name": "crop", "type": "choices", "value": {"choices": ["fox"]}}]',NULL);
INSERT INTO "oracle" VALUES(6,'d0005',2,4,'48ce7ff7-8f4b-4a97-9bf5-f1baa47827fe',1,6,6,'label','1','2024-05-01 12:10:00.000000','2026-11-26 11:16:48.056832',1.5,0,NULL,NULL,'label-studio','[{"from_name": "species", "to_name": "crop", "type": "choices", "value": {"choices": ["fox"]}}]',NULL);
INSERT INTO "oracle" VALUES(7,'d0006',3,4,'c11595c7-1ad6-4503-beac-15a2ba76e001',1,7,7,'label','1','2024-05-01 12:11:40.000000','2026-11-26 11:16:48.056832',1.5,0,NULL,NULL,'label-studio','[{"from_name": "species", "to_name": "crop", "type": "choices", "value": {"choices": ["boar"]}}]',NULL);
INSERT INTO "oracle" VALUES(8,'d0007',3,4,'d24f17ef-1047-4d01-9072-adbdd5849629',1,8,8,'label','1','2024-05-01 12:13:20.000000','2026-11-26 11:16:48.056832',1.5,0,NULL,NULL,'label-studio','[{"from_name": "species", "to_name": "crop", "type": "choices", "value": {"choices": ["boar"]}}]',NULL);
INSERT INTO "oracle" VALUES(9,'d0008',3,4,'538536c3-767e-4970-a053-e4e760516507',1,9,9,'label','1','2024-05-01 12:15:00.000000','2026-11-26 11:16:48.056832',1.5,0,NULL,NULL,'label-studio','[{"from_name": "species", "to_name": "crop", "type": "choices", "value": {"choices": ["boar"]}}]',NULL);
INSERT INTO "oracle" VALUES(10,'d0009',1,4,'58a4e02c-d962-4238-a3f4-300e35981ee7',1,10,10,'label','1','2024-05-01 12:16:40.000000','2026-11-26 11:16:48.056832',1.5,0,NULL,NULL,'label-studio','[{"from_name": "species", "to_name": "crop", "type": "choices", "value": {"choices": ["deer"]}}]',NULL);
INSERT INTO "oracle" VALUES(11,'d0010',1,4,'85052d32-eba1-4c59-88d2-763783598c29',1,11,11,'label','1','2024-05-01 12:18:20.000000','2026-11-26 11:16:48.056832',1.5,0,NULL,NULL,'label-studio','[{"from_name": "species", "to_name": "crop", "type": "choices", "value": {"choices": ["deer"]}}]',NULL);
INSERT INTO "oracle" VALUES(12,'d0011',1,4,'1633c3c4-8c66-4bc1-8fef-d9f8b6e34e50',1,12,12,'label','1','2024-05-01 12:20:00.000000','2026-11-26 11:16:48.056832',1.5,0,NULL,NULL,'label-studio','[{"from_name": "species", "to_name": "crop", "type": "choices", "value": {"choices": ["deer"]}}]',NULL);
INSERT INTO "oracle" VALUES(13,'d0012',2,4,'d564da90-3aa8-4a9a-8c05-80bff58b1036',1,13,13,'label','1','2024-05-01 12:21:40.000000','2026-11-26 11:16:48.056832',1.5,0,NULL,NULL,'label-studio','[{"from_name": "species", "to_name": "crop", "type": "choices", "value": {"choices": ["fox"]}}]',NULL);
INSERT INTO "oracle" VALUES(14,'d0013',2,4,'ab9e6664-ab7b-48e1-8405-c40b00ac6e8b',1,14,14,'label','1','2024-05-01 12:23:20.000000','2026-11-26 11:16:48.056832',1.5,0,NULL,NULL,'label-studio','[{"from_name": "species", "to_name": "crop", "type": "choices", "value": {"choices": ["fox"]}}]',NULL);
INSERT INTO "oracle" VALUES(15,'d0014',2,4,'d73c46f2-459f-48fc-b677-9eb62ddafdf9',1,15,15,'label','1','2024-05-01 12:25:00.000000','2026-11-26 11:16:48.056832',1.5,0,NULL,NULL,'label-studio','[{"from_name": "species", "to_name": "crop", "type": "choices", "value": {"choices": ["fox"]}}]',NULL);
INSERT INTO "oracle" VALUES(16,'d0015',3,4,'0e008092-95b2-4e94-8155-9b5d4b464ee4',1,16,16,'label','1','2024-05-01 12:26:40.000000','2026-11-26 11:16:48.056832',1.5,0,NULL,NULL,'label-studio','[{"from_name": "species", "to_name": "crop", "type": "choices", "value": {"choices": ["boar"]}}]',NULL);
INSERT INTO "oracle" VALUES(17,'d0016',3,4,'082fac96-d13e-4515-bf72-b47ef0b543b2',1,17,17,'label','1','2024-05-01 12:28:20.000000','2026-11-26 11:16:48.056832',1.5,0,NULL,NULL,'label-studio','[{"from_name": "species", "to_name": "crop", "type": "choices", "value": {"choices": ["boar"]}}]',NULL);
INSERT INTO "oracle" VALUES(18,'d0017',3,4,'3b29b02b-2c61-4920-a565-99aae5d4259c',1,18,18,'label','1','2024-05-01 12:30:00.000000','2026-11-26 11:16:48.056832',1.5,0,NULL,NULL,'label-studio','[{"from_name": "species", "to_name": "crop", "type": "choices", "value": {"choices": ["boar"]}}]',NULL);
INSERT INTO "oracle" VALUES(19,'d0018',1,4,'9b8d75d4-5f76-47ff-9b4b-924e09bf53b5',1,19,19,'label','1','2024-05-01 12:31:40.000000','2026-11-26 11:16:48.056832',1.5,0,NULL,NULL,'label-studio','[{"from_name": "species", "to_name": "crop", "type": "choices", "value": {"choices": ["deer"]}}]',NULL);
INSERT INTO "oracle" VALUES(20,'d0019',1,4,'548a098b-5815-488b-ad20-1b7d84b3fca1',1,20,20,'label','1','2024-05-01 12:33:20.000000','2026-11-26 11:16:48.056832',1.5,0,NULL,NULL,'label-studio','[{"from_name": "species", "to_name": "crop", "type": "choices", "value": {"choices": ["deer"]}}]',NULL);
INSERT INTO "oracle" VALUES(21,'d0020',1,4,'fd571a67-e78b-401e-bf36-828097de76d5',1,21,21,'label','1','2024-05-01 12:35:00.000000','2026-11-26 11:16:48.056832',1.5,0,NULL,NULL,'label-studio','[{"from_name": "species", "to_name": "crop", "type": "choices", "value": {"choices": ["deer"]}}]',NULL);
INSERT INTO "oracle" VALUES(22,'d0021',2,4,'1bbbbd4e-31d3-4e21-8d5f-b73d44b8a31e',1,22,22,'label','1','2024-05-01 12:36:40.000000','2026-11-26 11:16:48.056832',1.5,0,NULL,NULL,'label-studio','[{"from_name": "species", "to_name": "crop", "type": "choices", "value": {"choices": ["fox"]}}]',NULL);
INSERT INTO "oracle" VALUES(23,'d0022',2,4,'0a4772f9-7a66-444c-8aed-78ba52859d0d',1,23,23,'label','1','2024-05-01 12:38:20.000000','2026-11-26 11:16:48.056832',1.5,0,NULL,NULL,'label-studio','[{"from_name": "species", "to_name": "crop", "type": "choices", "value": {"choices": ["fox"]}}]',NULL);
INSERT INTO "oracle" VALUES(24,'d0023',2,4,'012bb8d1-921d-4e67-ae0c-82575f46f735',1,24,24,'label','1','2024-05-01 12:40:00.000000','2026-11-26 11:16:48.056832',1.5,0,NULL,NULL,'label-studio','[{"from_name": "species", "to_name": "crop", "type": "choices", "value": {"choices": ["fox"]}}]',NULL);
INSERT INTO "oracle" VALUES(25,'d0024',NULL,4,'d4098329-8c90-45b2-aac9-1f254ef255f9',1,25,25,'skipped','1','2024-05-01 12:41:40.000000','2026-11-26 11:16:48.056832',1.5,0,NULL,NULL,'label-studio','[]',NULL);
INSERT INTO "oracle" VALUES(26,'d0025',NULL,4,'a6d564a9-8311-4498-af1a-3f08078a1629',1,26,26,'unsure','1','2024-05-01 12:43:20.000000','2026-11-26 11:16:48.056832',1.5,0,NULL,NULL,'label-studio','[{"from_name": "species", "to_name": "crop", "type": "choices", "value": {"choices": ["unsure"]}}]',NULL);
INSERT INTO "oracle" VALUES(27,'d0000',2,4,'47277cb8-c84f-4f27-a3e5-701c1e03aca8',1,27,1,'label','2','2024-05-01 12:45:00.000000','2026-11-26 11:16:48.056832',1.5,0,NULL,NULL,'label-studio','[{"from_name": "species", "to_name": "crop", "type": "choices", "value": {"choices": ["fox"]}}]',NULL);
CREATE TABLE package (
	source TEXT NOT NULL, 
	descriptor JSON NOT NULL, 
	imported_at DATETIME NOT NULL, 
	CONSTRAINT pk_package PRIMARY KEY (source)
);
CREATE TABLE prediction (
	model_version TEXT NOT NULL, 
	detection_id TEXT NOT NULL, 
	rank INTEGER NOT NULL, 
	score FLOAT NOT NULL, 
	category_id INTEGER, 
	probability FLOAT, 
	pushed_at DATETIME, novel BOOLEAN DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_prediction PRIMARY KEY (model_version, detection_id), 
	CONSTRAINT fk_prediction_category_id FOREIGN KEY(category_id) REFERENCES category (id), 
	CONSTRAINT fk_prediction_detection_id FOREIGN KEY(detection_id) REFERENCES detection (id), 
	CONSTRAINT fk_prediction_model_version FOREIGN KEY(model_version) REFERENCES model (version)
);
INSERT INTO "prediction" VALUES('v1-c5e653fd','d0031',0,0.0,NULL,NULL,'2026-11-26 11:16:50.187956',0);
INSERT INTO "prediction" VALUES('v1-c5e653fd','d0030',1,8.33333333333333287074e-02,NULL,NULL,'2026-11-26 11:16:50.187956',0);
INSERT INTO "prediction" VALUES('v1-c5e653fd','d0028',2,1.66666666666666657414e-01,1,7.40171670913696289062e-01,'2026-11-26 11:16:50.187956',0);
INSERT INTO "prediction" VALUES('v1-c5e653fd','d0035',3,0.25,3,9.09374892711639404296e-01,'2026-11-26 11:16:50.187956',0);
INSERT INTO "prediction" VALUES('v1-c5e653fd','d0026',4,3.33333333333333314829e-01,3,9.64595556259155273437e-01,'2026-11-26 11:16:50.187956',0);
INSERT INTO "prediction" VALUES('v1-c5e653fd','d0000',5,4.1666666666666668517e-01,1,9.51058804988861083984e-01,'2026-11-26 11:16:50.187956',0);
INSERT INTO "prediction" VALUES('v1-c5e653fd','d0027',6,0.5,1,9.76466596126556396484e-01,'2026-11-26 11:16:50.187956',0);
INSERT INTO "prediction" VALUES('v1-c5e653fd','d0024',7,5.8333333333333337034e-01,3,9.72253262996673583984e-01,'2026-11-26 11:16:50.187956',0);
INSERT INTO "prediction" VALUES('v1-c5e653fd','d0033',8,6.66666666666666629659e-01,3,9.69339609146118164062e-01,'2026-11-26 11:16:50.187956',0);
INSERT INTO "prediction" VALUES('v1-c5e653fd','d0029',9,0.75,1,9.74840879440307617187e-01,'2026-11-26 11:16:50.187956',0);
INSERT INTO "prediction" VALUES('v1-c5e653fd','d0034',10,8.3333333333333337034e-01,3,9.94882941246032714843e-01,'2026-11-26 11:16:50.187956',0);
INSERT INTO "prediction" VALUES('v1-c5e653fd','d0032',11,9.16666666666666629659e-01,NULL,NULL,'2026-11-26 11:16:50.187956',0);
CREATE TABLE project (
	id INTEGER NOT NULL, 
	title TEXT NOT NULL, 
	embedder TEXT NOT NULL, 
	current_model TEXT, 
	watermark DATETIME, 
	synced_at DATETIME, 
	created_at DATETIME NOT NULL, choices JSON, served_from TEXT, forgotten_at DATETIME, 
	CONSTRAINT pk_project PRIMARY KEY (id)
);
INSERT INTO "project" VALUES(4,'Forest','made-up','v1-c5e653fd','2024-05-01 12:45:00.030000','2026-11-26 11:16:48.070332','2026-11-26 11:16:48.003942','["deer", "fox", "boar", "empty", "unsure"]',NULL,NULL);
CREATE TABLE review (
	project_id INTEGER NOT NULL, 
	task_id BIGINT NOT NULL, 
	detection_id TEXT NOT NULL, 
	label INTEGER NOT NULL, 
	quality FLOAT NOT NULL, 
	requested_at DATETIME NOT NULL, 
	CONSTRAINT pk_review PRIMARY KEY (project_id, task_id), 
	CONSTRAINT fk_review_project_id FOREIGN KEY(project_id) REFERENCES project (id), 
	CONSTRAINT fk_review_detection_id FOREIGN KEY(detection_id) REFERENCES detection (id), 
	CONSTRAINT fk_review_label FOREIGN KEY(label) REFERENCES category (id)
);
INSERT INTO "review" VALUES(4,900,'d0005',2,0.1,'2026-11-26 11:16:50.198691');
CREATE TABLE run (
	id INTEGER NOT NULL, 
	project_id INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	state TEXT NOT NULL, 
	"trigger" TEXT NOT NULL, 
	requested_at DATETIME NOT NULL, 
	started_at DATETIME, 
	heartbeat_at DATETIME, 
	finished_at DATETIME, 
	worker TEXT, 
	attempts INTEGER NOT NULL, 
	error TEXT, 
	result JSON, 
	CONSTRAINT pk_run PRIMARY KEY (id), 
	CONSTRAINT fk_run_project_id FOREIGN KEY(project_id) REFERENCES project (id)
);
CREATE TABLE scan (
	image_id TEXT NOT NULL, 
	detector TEXT NOT NULL, 
	scanned_at DATETIME NOT NULL, 
	CONSTRAINT pk_scan PRIMARY KEY (image_id, detector), 
	CONSTRAINT fk_scan_image_id FOREIGN KEY(image_id) REFERENCES image (id)
);
CREATE TABLE task (
	project_id INTEGER NOT NULL, 
	detection_id TEXT NOT NULL, 
	task_id BIGINT NOT NULL, 
	published_at DATETIME NOT NULL, 
	CONSTRAINT pk_task PRIMARY KEY (project_id, detection_id), 
	CONSTRAINT fk_task_detection_id FOREIGN KEY(detection_id) REFERENCES detection (id), 
	CONSTRAINT fk_task_project_id FOREIGN KEY(project_id) REFERENCES project (id), 
	CONSTRAINT uq_task_project_id_task_id UNIQUE (project_id, task_id)
);
INSERT INTO "task" VALUES(4,'d0000',1,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0001',2,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0002',3,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0003',4,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0004',5,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0005',6,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0006',7,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0007',8,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0008',9,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0009',10,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0010',11,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0011',12,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0012',13,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0013',14,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0014',15,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0015',16,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0016',17,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0017',18,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0018',19,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0019',20,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0020',21,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0021',22,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0022',23,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0023',24,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0024',25,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0025',26,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0026',27,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0027',28,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0028',29,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0029',30,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0030',31,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0031',32,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0032',33,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0033',34,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0034',35,'2026-11-26 11:16:48.004125');
INSERT INTO "task" VALUES(4,'d0035',36,'2026-11-26 11:16:48.004125');
CREATE TABLE taxon (
	category_id INTEGER NOT NULL, 
	scientific_name TEXT, 
	rank TEXT, 
	parent TEXT, 
	taxon_id TEXT, 
	vernacular_names JSON, 
	lineage JSON, 
	details JSON, 
	source TEXT, 
	CONSTRAINT pk_taxon PRIMARY KEY (category_id), 
	CONSTRAINT fk_taxon_category_id FOREIGN KEY(category_id) REFERENCES category (id)
);
INSERT INTO "taxon" VALUES(2,'Vulpes vulpes',NULL,NULL,NULL,'{}','{}','{}',NULL);
CREATE TABLE worker (
	id TEXT NOT NULL, 
	started_at DATETIME NOT NULL, 
	seen_at DATETIME NOT NULL, 
	CONSTRAINT pk_worker PRIMARY KEY (id)
);
CREATE INDEX ix_image_failure ON image (failure);
CREATE INDEX ix_image_location_datetime ON image (location, datetime);
CREATE INDEX ix_image_path ON image (path);
CREATE INDEX ix_image_seq_id ON image (seq_id);
CREATE INDEX ix_model_project_id ON model (project_id);
CREATE UNIQUE INDEX uq_run_queued ON run (project_id, kind) WHERE state = 'queued';
CREATE UNIQUE INDEX uq_run_running ON run (project_id, kind) WHERE state = 'running';
CREATE INDEX ix_detection_image_id ON detection (image_id);
CREATE INDEX ix_detection_kind_category_id ON detection (kind, category_id);
CREATE INDEX ix_embedding_embedder_seq ON embedding (embedder, seq);
CREATE INDEX ix_oracle_annotation_id ON oracle (annotation_id);
CREATE INDEX ix_oracle_detection_id ON oracle (detection_id);
CREATE INDEX ix_oracle_task_id ON oracle (task_id);
CREATE INDEX ix_image_label_image_id ON image_label (image_id);
CREATE INDEX ix_review_detection_id ON review (detection_id);
CREATE INDEX ix_category_merged_into ON category (merged_into);
CREATE INDEX ix_image_video ON image (video);
COMMIT;
