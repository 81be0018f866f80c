-- MySQL dump 10.13
DROP TABLE IF EXISTS `phpbb_posts`;
CREATE TABLE `phpbb_posts` (
  `post_id` int(10) unsigned NOT NULL AUTO_INCREMENT,
  `topic_id` int(10) unsigned NOT NULL DEFAULT '0',
  `poster_id` int NOT NULL,
  `post_time` int(11) unsigned NOT NULL DEFAULT '0',
  `post_username` varchar(255) NOT NULL DEFAULT '',
  `post_subject` varchar(255) NOT NULL DEFAULT '',
  `post_text` mediumtext NOT NULL,
  PRIMARY KEY (`post_id`),
  KEY `topic_id` (`topic_id`)
) ENGINE=InnoDB;
LOCK TABLES `phpbb_posts` WRITE;
/*!40000 ALTER TABLE `phpbb_posts` DISABLE KEYS */;
INSERT INTO `phpbb_posts` VALUES (10,7,2,1393841460,'ann','Knocking boiler','Mine knocks every morning. Dangerous?'),(11,7,3,1393845000,'bob','Re: Knocking boiler','[quote=\"ann\"]Mine[/quote]Limescale. Have it flushed.');
/*!40000 ALTER TABLE `phpbb_posts` ENABLE KEYS */;
UNLOCK TABLES;
CREATE TABLE `phpbb_users` (`user_id` int, `username` varchar(255));
INSERT INTO `phpbb_users` VALUES (2,'ann'),(3,'bob');
